package replay

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/deadletter"
)

// run is one call of Stream.
type run struct {
	*Source
	emit tweetstream.Emit
	pace pacer

	tweets []*tweetstream.Tweet // not handed over yet
	read   numbered             // the last line that was read
	fresh  bool                 // nothing was emitted since

	bad badLines // not named yet
}

// path reads the segments of a file that are not read yet, and then the file.
func (r *run) path(ctx context.Context, path string, b beginning) error {
	if b.file != nil {
		if err := r.file(ctx, b.file, b.rest); err != nil || b.last {
			return err
		}
		b.file = nil
	}
	begun := !b.after.IsZero()
	for ctx.Err() == nil {
		segments, err := segmentsAfter(path, b)
		if err != nil {
			return err
		}
		name := path
		if len(segments) > 0 {
			name, b.after = segments[0].Path, segments[0].Time
		}
		f, err := open(name)
		switch {
		case os.IsNotExist(err) && name != path:
			r.logger.Warn("a segment was moved or deleted meanwhile", "file", name)
			continue
		case os.IsNotExist(err) && begun:
			return nil // there are segments only
		case err != nil:
			return err
		}
		begun = true
		if name == path {
			// It may have become a segment since, and another have taken its place.
			if segments, err = segmentsAfter(path, b); err != nil || len(segments) > 0 {
				_ = f.Close()
				if err != nil {
					return err
				}
				continue
			}
		}
		if err := r.file(ctx, f, nil); err != nil || name == path {
			return err
		}
	}
	return nil
}

// file hands over what is in a file: first the lines given, which were read from
// it already.
func (r *run) file(ctx context.Context, f *file, rest []numbered) (err error) {
	defer f.Close() // it was only read
	defer func() { r.bad.flush(r.logger) }()
	r.count(func(st *Stats) { st.File, st.Line = f.name, f.line })
	r.read, r.fresh = numbered{number: f.line}, false
	f.lines.TooLong = func(number, length int) {
		r.leaveOut(f, number, fmt.Errorf("the line is longer than %d MiB", maxLine>>20), true)
	}
	lines := rest
	for ctx.Err() == nil {
		for _, l := range lines {
			if err := r.line(ctx, f, l); err != nil {
				return err
			}
		}
		if len(r.tweets) > 0 {
			if err := r.flush(ctx, f); err != nil {
				return err
			}
		}
		texts, err := f.next()
		if err == io.EOF {
			return r.end(ctx, f)
		}
		if err != nil {
			return err
		}
		lines = lines[:0]
		for i, text := range texts {
			lines = append(lines, numbered{f.lines.Number(i), text})
		}
	}
	return nil
}

// end sees to what stands behind the last line break.
func (r *run) end(ctx context.Context, f *file) error {
	last := numbered{f.lines.Ended() + 1, f.lines.Rest()}
	switch {
	case last.text == nil || last.number == f.line: // there is nothing, or it was read before
	case json.Valid(last.text):
		if err := r.line(ctx, f, last); err != nil {
			return err
		}
	default:
		// It may be written to at this moment: the state does not pass it.
		r.leaveOut(f, last.number, errors.New("the last line is not ended, and not whole"), false)
	}
	return r.flush(ctx, f)
}

// line takes one line. With a pace it waits until its time has come.
func (r *run) line(ctx context.Context, f *file, l numbered) error {
	t, err := r.parse(l.text)
	switch {
	case errors.Is(err, errOther):
		r.count(func(st *Stats) { st.Others++ })
	case err != nil:
		r.leaveOut(f, l.number, err, errors.Is(err, errTooLong))
	default:
		if wait := r.wait(t); wait > 0 {
			if err := r.flush(ctx, f); err != nil {
				return err
			}
			if !sleep(ctx, wait) {
				return ctx.Err()
			}
		}
		r.tweets = append(r.tweets, t)
		r.bad.flush(r.logger) // its row has ended
	}
	r.read, r.fresh = l, true
	return nil
}

// flush hands over the tweets that were read, and how far that was.
func (r *run) flush(ctx context.Context, f *file) error {
	if !r.fresh {
		return nil
	}
	if err := r.emit(ctx, r.tweets, f.state(r.read.number, r.read.text)); err != nil {
		return err
	}
	n := len(r.tweets)
	clear(r.tweets)
	r.tweets, r.fresh = r.tweets[:0], false
	r.count(func(st *Stats) { st.Tweets, st.Line = st.Tweets+uint64(n), r.read.number })
	return nil
}

// leaveOut counts and names a line that can't be read.
func (r *run) leaveOut(f *file, number int, why error, tooLong bool) {
	r.count(func(st *Stats) {
		if tooLong {
			st.Oversized++
		} else {
			st.Malformed++
		}
	})
	r.bad.add(r.logger, badLines{file: f.name, first: number, last: number, why: why.Error()})
}

var (
	errOther   = errors.New("a letter of another sink")
	errTooLong = fmt.Errorf("the message is longer than %d MiB", maxMessage>>20)
	errZeros   = errors.New("there are zeros in it, which a crash has left")
	errNeither = errors.New("the line is neither a message nor a letter")
)

var letterKey = []byte(`{"letter":`)

// parse returns the tweet of a line. Its error says what is wrong with the line
// and never holds a part of it.
func (s *Source) parse(text []byte) (*tweetstream.Tweet, error) {
	if bytes.IndexByte(text, 0) >= 0 {
		return nil, errZeros
	}
	if !bytes.HasPrefix(text, letterKey) {
		t, err := tweetstream.ParseTweet(text)
		switch {
		case err == nil && len(text) > maxMessage:
			return nil, errTooLong
		case err == nil && s.one:
			return nil, errOther
		case err == nil:
			return t, nil
		}
	}
	// Its keys may stand in another order, if it has passed through other hands.
	l, err := deadletter.Parse(text)
	switch {
	case err != nil && bytes.HasPrefix(text, letterKey):
		return nil, err
	case err != nil:
		return nil, errNeither
	case s.one && l.Sink != "" && l.Sink != s.sink:
		return nil, errOther
	}
	return l.Tweet, nil
}

// wait returns how long the tweet is still to wait.
func (r *run) wait(t *tweetstream.Tweet) time.Duration {
	if !r.paced {
		return 0
	}
	at := t.Received
	if at.IsZero() && !t.Deleted {
		if c, err := t.Content(); err == nil {
			at = c.CreatedAt
		}
	}
	return r.pace.wait(at)
}
