package filesink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/tweetstream-go/tweetstream"
)

// stream is an output that can't be cut back.
type stream struct {
	file *os.File
	buf  []byte
	torn []byte // what is still to be written of a line whose beginning was
}

func (s *stream) name() string { return s.file.Name() }

func (s *stream) deliver(ctx context.Context, tweets []*tweetstream.Tweet) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.write(s.torn); err != nil {
		return err
	}
	defer func() { s.buf = reuse(s.buf) }()
	var refused []error
	for _, t := range tweets {
		var err error
		if s.buf, err = appendLine(s.buf, t.Raw); err != nil {
			refused = append(refused, refusal(t, err))
			continue
		}
		if len(s.buf) >= writeSize {
			if err := s.flush(ctx); err != nil {
				return err
			}
		}
	}
	if err := s.flush(ctx); err != nil {
		return err
	}
	return errors.Join(refused...)
}

func (s *stream) flush(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := s.write(s.buf)
	s.buf = s.buf[:0]
	return err
}

// write writes lines, of which the first may be the rest of a torn one. If it
// fails within a line, the rest of that line is kept for the next time.
func (s *stream) write(lines []byte) error {
	if len(lines) == 0 {
		return nil
	}
	n, err := s.file.Write(lines)
	if err == nil {
		s.torn = nil
		return nil
	}
	if n > 0 && lines[n-1] == '\n' {
		s.torn = nil
	} else if n > 0 {
		rest := lines[n:]
		s.torn = bytes.Clone(rest[:bytes.IndexByte(rest, '\n')+1])
	}
	return tweetstream.RetryAfter(fmt.Errorf("filesink: %w", err), retryAfter)
}

// reuse returns buf for the next batch, unless it has become very large.
func reuse(buf []byte) []byte {
	if cap(buf) > 4*writeSize {
		return nil
	}
	return buf[:0]
}
