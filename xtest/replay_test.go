package xtest_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tweetstream-go/tweetstream/xtest"
)

// Every line arrives as it is, whatever it is, without any rules; also through a
// reader that is slow.
func TestReplay(t *testing.T) {
	lines := []string{
		`{"data":{"id":"1","text":"a"}}`,
		`{ "data" : {"id": "2"},  "unknown": [1,2 ] }  `,
		"",
		"not JSON \x00\xff\u2028",
		strings.Repeat("long ", 12<<20/5),
		"\r carriage \r returns",
		`{"data":{"id":"3"}}`,
	}
	for range 20_000 {
		lines = append(lines, `{"data":{"id":"4","text":"`+strings.Repeat("x", 200)+`"}}`)
	}
	lines = append(lines, "the last, without an end")

	for name, end := range map[string]string{"LF": "\n", "CRLF": "\r\n"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := newServer(t, xtest.Replay(strings.NewReader(strings.Join(lines, end))), xtest.KeepAlive(time.Hour))
				time.Sleep(time.Minute)
				s := connect(t, x, streamPath)
				time.Sleep(time.Hour) // slow, but nothing is dropped
				for i, want := range lines {
					if i%5000 == 0 {
						time.Sleep(10 * time.Minute)
					}
					for {
						got, err := s.line()
						if err != nil {
							t.Fatal(err)
						}
						if got == "" && want != "" {
							continue // a keep-alive
						}
						if got != want {
							t.Fatalf("line %d = %.60q, want %.60q", i, got, want)
						}
						break
					}
				}
				if l, err := s.line(); l != "" || err != nil {
					t.Errorf("after the end: %q, %v, want a keep-alive", l, err)
				}
				if st := x.Stats(); !st.Replayed || st.Dropped != 0 || st.Sent != int64(len(lines)) || st.Made != 0 {
					t.Errorf("Stats() = %+v", st)
				}
			})
		})
	}
}

// It plays once: a second connection goes on where the first ended.
func TestReplayOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, out := io.Pipe()
		x := newServer(t, xtest.Replay(in))
		s := connect(t, x, samplePath)
		fmt.Fprintln(out, "one")
		if l, err := s.line(); l != "one" || err != nil {
			t.Errorf("line %q, %v", l, err)
		}
		s.body.Close()
		synctest.Wait()
		go fmt.Fprintln(out, "two") // waits for a stream
		time.Sleep(time.Hour)
		s = connect(t, x, streamPath)
		if l, err := s.line(); l != "two" || err != nil {
			t.Errorf("line %q, %v", l, err)
		}
		out.Close()
		synctest.Wait()
		if !x.Stats().Replayed {
			t.Error("not at the end of the replay")
		}
	})
}

func TestReplayFileAtRate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "posts.ndjson")
	var b bytes.Buffer
	for i := range 1000 {
		fmt.Fprintf(&b, `{"data":{"id":"%d"}}`+"\n", i)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		x := newServer(t, xtest.ReplayFile(path), xtest.Rate(200))
		s := connect(t, x, streamPath)
		begin := time.Now()
		for i := range 1000 {
			if m := s.next(); m.Data.ID != fmt.Sprint(i) {
				t.Fatalf("Post %s, want %d", m.Data.ID, i)
			}
		}
		if took := time.Since(begin); took != 5*time.Second {
			t.Errorf("1,000 lines at 200 a second took %v", took)
		}
	})
}

// What was due while nobody read is not made up for by an avalanche.
func TestReplayThatIsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newServer(t, xtest.Replay(strings.NewReader(strings.Repeat("line\n", 5000))), xtest.Rate(10))
		lines := func() (n int) { // in 2 s
			s := connect(t, x, streamPath)
			end := time.AfterFunc(2*time.Second, func() { s.body.Close() })
			defer end.Stop()
			for {
				if _, err := s.line(); err != nil {
					return n
				}
				n++
			}
		}
		if n := lines(); n < 15 || n > 20 {
			t.Errorf("%d lines in 2 s, want 10 a second", n)
		}
		time.Sleep(time.Minute)
		if n := lines(); n < 25 || n > 35 {
			t.Errorf("%d lines in 2 s after a minute, want 10 a second and those of one second more", n)
		}
	})
}

// Close ends a replay that waits for its reader.
func TestCloseDuringReplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newServer(t, xtest.Replay(strings.NewReader(strings.Repeat("line\n", 1e6))))
		connect(t, x, streamPath)
		time.Sleep(time.Second)
		x.Close()
	})
}
