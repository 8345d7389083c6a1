package filesink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/internal/dedupe"
	"github.com/tweetstream-go/tweetstream/internal/logfile"
	"github.com/tweetstream-go/tweetstream/internal/ndjson"
)

// retryAfter is the wait after an error of the disk. It is asked for, rather than
// left to the Streamer, so that no Post is taken for a poison: on a disk that is
// full the short ones may still pass, and the long ones are not at fault.
const retryAfter = time.Second

// How far back ids are remembered. The two are alike at X's 2.4 kB a Post.
const (
	rememberedLines = 100_000
	rememberedBytes = 256 << 20
)

// archive is a file of Posts.
type archive struct {
	file *logfile.File
	seen *dedupe.Window
	buf  []byte
}

// openArchive opens the file at path, and makes its folders.
func openArchive(path string) (*archive, error) {
	a := &archive{seen: dedupe.New(rememberedLines)}
	var err error
	if a.file, err = logfile.Open(path, maxLine, a.remember); err != nil {
		return nil, err
	}
	return a, nil
}

// remember adds the ids of the last lines to those seen.
func (a *archive) remember(f *os.File, size int64) error {
	begin := max(0, size-rememberedBytes)
	var src io.Reader = io.NewSectionReader(f, begin, size-begin)
	if begin > 0 {
		// It begins within a line. With an x before it, what is there of that
		// line can't be taken for a message.
		src = io.MultiReader(strings.NewReader("x"), src)
	}
	lines := ndjson.NewReader(src, maxLine)
	for {
		batch, err := lines.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		for _, line := range batch {
			if bytes.IndexByte(line, 0) >= 0 {
				continue // never synced: see the package comment
			}
			if t, err := tweetstream.ParseTweet(line); err == nil {
				a.seen.Add(t.ID, false)
			}
		}
	}
}

func (a *archive) name() string { return a.file.Path() }

func (a *archive) deliver(ctx context.Context, tweets []*tweetstream.Tweet) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := a.file.Ready(); err != nil {
		return outage(err)
	}
	written, refused, err := a.write(ctx, tweets)
	if err != nil {
		for _, t := range written {
			a.seen.Forget(t.ID, t.Deleted)
		}
		return err
	}
	return errors.Join(refused...)
}

// write writes and syncs those of the tweets whose ids are new. They are seen from
// then on, for a batch may have one twice; if it fails, written are those to forget.
func (a *archive) write(ctx context.Context, tweets []*tweetstream.Tweet) (written []*tweetstream.Tweet, refused []error, err error) {
	defer func() { a.buf = reuse(a.buf) }()
	for _, t := range tweets {
		if a.seen.Has(t.ID, t.Deleted) {
			continue
		}
		if a.buf, err = appendLine(a.buf, t.Raw); err != nil {
			refused = append(refused, refusal(t, err))
			continue
		}
		a.seen.Add(t.ID, t.Deleted)
		written = append(written, t)
		if len(a.buf) >= writeSize {
			if err := a.flush(ctx); err != nil {
				return written, nil, err
			}
		}
	}
	if err := a.flush(ctx); err != nil {
		return written, nil, err
	}
	if err := a.file.Commit(); err != nil {
		return written, nil, outage(err)
	}
	return written, refused, nil
}

// flush writes the lines gathered so far. If it fails, the whole batch is undone.
func (a *archive) flush(ctx context.Context) error {
	if len(a.buf) == 0 {
		return nil
	}
	if err := ctx.Err(); err != nil {
		_ = a.file.Undo() // Ready tries again
		return err
	}
	if err := a.file.Write(a.buf); err != nil {
		return outage(err)
	}
	a.buf = a.buf[:0]
	return nil
}

func (a *archive) close() error { return a.file.Close() }

// outage is the error for what is wrong with the file.
func outage(err error) error {
	return tweetstream.RetryAfter(fmt.Errorf("filesink: %w", err), retryAfter)
}
