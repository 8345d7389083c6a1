package chaos_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/xtest"
)

// receiver takes POSTs and goes by the ids.
type receiver struct {
	*httptest.Server
	x *xtest.Server

	mu      sync.Mutex
	seen    map[string]bool
	order   []string // in which they came first
	repeats int
	bad     []error
}

func receive(t *testing.T, x *xtest.Server) *receiver {
	r := &receiver{x: x, seen: map[string]bool{}}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(_ http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return // killed half-way
	}
	id, err := whole(r.x, body)
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err != nil:
		r.bad = append(r.bad, err)
	case r.seen[id]:
		r.repeats++
	default:
		r.seen[id] = true
		r.order = append(r.order, id)
	}
}

func (r *receiver) posts() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.order)
}

// whole returns the id of a message that is a Post of X's, byte for byte, with the
// rules that it matches.
func whole(x *xtest.Server, line []byte) (id string, err error) {
	t, err := tweetstream.ParseTweet(line)
	if err != nil {
		return "", fmt.Errorf("%d bytes that are no Post: %w", len(line), err)
	}
	data := x.Data(t.ID)
	switch rest, ok := bytes.CutPrefix(line, slices.Concat([]byte(`{"data":`), data, []byte(","))); {
	case data == nil:
		return t.ID, fmt.Errorf("Post %s, which X never made", t.ID)
	case !ok:
		return t.ID, fmt.Errorf("Post %s is not as X made it", t.ID)
	case !json.Valid(slices.Concat([]byte("{"), rest)):
		return t.ID, fmt.Errorf("Post %s is followed by what is no JSON", t.ID)
	case len(t.Rules) == 0 || t.Rules[0].Tag == "":
		return t.ID, fmt.Errorf("Post %s comes without its rules", t.ID)
	}
	return t.ID, nil
}

// file reads a file of NDJSON that grows.
type file struct {
	path  string
	size  int64
	lines int
}

// posts returns how many lines are there.
func (f *file) posts() (int, error) {
	in, err := os.Open(f.path)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil || info.Size() < f.size {
		// A torn line was cut off; whole ones are never.
		f.size, f.lines = 0, 0
	}
	more, err := io.ReadAll(io.NewSectionReader(in, f.size, 1<<30))
	f.size += int64(len(more))
	f.lines += bytes.Count(more, []byte("\n"))
	return f.lines, err
}

// ids returns the ids in the file, and what is wrong with its lines.
func (f *file) ids(x *xtest.Server) (ids []string, bad []error) {
	text, err := os.ReadFile(f.path)
	if err != nil {
		return nil, []error{err}
	}
	n := 0
	for line := range bytes.Lines(text) {
		n++
		text, ended := bytes.CutSuffix(line, []byte("\n"))
		id, err := whole(x, text)
		if !ended {
			err = errors.New("it is not ended")
		}
		if err != nil {
			bad = append(bad, fmt.Errorf("line %d: %w", n, err))
			continue
		}
		ids = append(ids, id)
	}
	return ids, bad
}

// compare returns which of the Posts that X made are not there, and how many are
// there again.
func compare(want, got []string) (missing []string, again int) {
	there := make(map[string]bool, len(got))
	for _, id := range got {
		if there[id] {
			again++
		}
		there[id] = true
	}
	for _, id := range want {
		if !there[id] {
			missing = append(missing, id)
		}
	}
	return missing, again
}

// spans names ids by the times at which X made them.
func spans(ids []string) (text string) {
	at := func(id string) time.Time {
		n, _ := strconv.ParseInt(id, 10, 64)
		return time.UnixMilli(n>>22 + 1288834974657).UTC()
	}
	const form = "15:04:05.000"
	for begin := 0; begin < len(ids); {
		end := begin + 1
		for end < len(ids) && at(ids[end]).Sub(at(ids[end-1])) < 100*time.Millisecond {
			end++
		}
		text += fmt.Sprintf("  %d from %s to %s\n", end-begin, at(ids[begin]).Format(form), at(ids[end-1]).Format(form))
		begin = end
	}
	return text
}
