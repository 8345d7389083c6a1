package filesink_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sinks/filesink"
)

// stdout makes f the standard output of a new Sink.
func stdout(f *os.File) *filesink.Sink {
	defer func(old *os.File) { os.Stdout = old }(os.Stdout)
	os.Stdout = f
	return filesink.Stdout()
}

func TestStdout(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	s := stdout(w)
	got := make(chan []byte)
	go func() {
		b, _ := io.ReadAll(r)
		got <- b
	}()
	ts := append(posts(1, 100), post(101, 5<<20), post(102, 40))
	deliver(t, s, ts...)
	err = s.Deliver(t.Context(), []*tweetstream.Tweet{{ID: "1", Raw: []byte("{\n}")}, {ID: "2", Raw: []byte("\n")}})
	if te, ok := errors.AsType[*tweetstream.TweetError](err); !ok || te.ID != "2" {
		t.Errorf("Deliver() of a line break = %v, want a TweetError of 2", err)
	}
	closeSink(t, s)
	closeSink(t, s)
	if err := s.Deliver(t.Context(), ts); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Deliver() after Close = %v, want %v", err, os.ErrClosed)
	}
	if _, err := w.WriteString("open still"); err != nil {
		t.Errorf("Close has closed standard output: %v", err)
	}
	w.Close()
	if want := lines(ts...) + "{}\nopen still"; string(<-got) != want {
		t.Error("the lines written are not those delivered")
	}
}

// A pipe that takes a part only: the torn line is ended before others begin.
func TestStdoutTornLine(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := w.SetWriteDeadline(time.Time{}); err != nil {
		t.Skip(err)
	}
	s := stdout(w)
	ts := []*tweetstream.Tweet{post(1, 1_000), post(2, 500_000), post(3, 1_000)}
	done := make(chan error, 1)
	try := func() { done <- s.Deliver(t.Context(), ts) }

	var got bytes.Buffer
	part := make([]byte, 20_000)
	for range 5 {
		go try()
		n, err := r.Read(part) // so that the write has begun; the pipe can't take it all
		if err != nil {
			t.Fatal(err)
		}
		got.Write(part[:n])
		if err := w.SetWriteDeadline(time.Now()); err != nil {
			t.Fatal(err)
		}
		if err := <-done; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("Deliver() to a full pipe = %v, want a time-out", err)
		}
		if err := w.SetWriteDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	go func() {
		try()
		w.Close()
	}()
	if _, err := io.Copy(&got, r); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatalf("Deliver() to a pipe that is read = %v", err)
	}
	whole := map[string]int{}
	for l := range strings.Lines(got.String()) {
		whole[l]++
	}
	for _, tw := range ts {
		if whole[lines(tw)] == 0 {
			t.Errorf("Post %s is not there", tw.ID)
		}
		delete(whole, lines(tw))
	}
	for l := range whole {
		t.Errorf("a torn line of %d bytes: %.60q", len(l), l)
	}
}

func TestStdoutFull(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	err = stdout(full).Deliver(t.Context(), []*tweetstream.Tweet{parse(`{"data":{"id":"1","text":"SECRET"}}`)})
	if err == nil || !strings.Contains(err.Error(), "/dev/full") || strings.Contains(err.Error(), "SECRET") {
		t.Errorf("Deliver() to a full device = %v, want an error with its name", err)
	}
}
