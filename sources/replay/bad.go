package replay

import "log/slog"

// badLines are lines in a row that were left out for the same reason. They are
// named together: a file that is no NDJSON at all has many.
type badLines struct {
	file        string
	first, last int
	why         string
}

// add takes more of them, and names those before that are not in the same row.
func (b *badLines) add(l *slog.Logger, more badLines) {
	if b.file == more.file && b.why == more.why && b.last == more.first-1 {
		b.last = more.last
		return
	}
	b.flush(l)
	*b = more
}

func (b *badLines) flush(l *slog.Logger) {
	switch {
	case b.first == 0:
	case b.first == b.last:
		l.Warn("a line was left out", "file", b.file, "line", b.first, "reason", b.why)
	default:
		l.Warn("lines were left out", "file", b.file, "line", b.first, "to", b.last, "count", b.last-b.first+1, "reason", b.why)
	}
	*b = badLines{}
}
