package logfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A Segment is a file that was renamed to make room for a new one: dead.ndjson
// becomes dead-20260102T150405.678Z.ndjson beside it.
type Segment struct {
	Path string
	Size int64
	Time time.Time // in its name: of the last that was written to it
}

const segmentTime = "20060102T150405.000Z"

// SegmentName returns the name of the segment of the file at path whose last
// line was written at t.
func SegmentName(path string, t time.Time) string {
	ext := filepath.Ext(path)
	return strings.TrimSuffix(path, ext) + "-" + t.UTC().Format(segmentTime) + ext
}

// Segments returns the segments of the file at path, oldest first. Where there
// is no folder there are none.
func Segments(path string) ([]Segment, error) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var segments []Segment
	for _, e := range entries {
		ext := filepath.Ext(path)
		middle, ok := strings.CutPrefix(e.Name(), strings.TrimSuffix(filepath.Base(path), ext)+"-")
		if !ok || !e.Type().IsRegular() {
			continue
		}
		if middle, ok = strings.CutSuffix(middle, ext); !ok {
			continue
		}
		t, err := time.Parse(segmentTime, middle)
		if err != nil || t.Format(segmentTime) != middle {
			continue // another file
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // it has gone meanwhile
		}
		if err != nil {
			return nil, err
		}
		segments = append(segments, Segment{filepath.Join(filepath.Dir(path), e.Name()), info.Size(), t})
	}
	slices.SortFunc(segments, func(a, b Segment) int { return a.Time.Compare(b.Time) })
	return segments, nil
}
