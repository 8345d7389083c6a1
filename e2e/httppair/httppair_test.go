// Package httppair_test couples two processes over HTTP: one streams from X and
// posts, the other receives and writes a file.
package httppair_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sinks/filesink"
	"github.com/tweetstream-go/tweetstream/sinks/httpsink"
	"github.com/tweetstream-go/tweetstream/sources/httpsource"
	"github.com/tweetstream-go/tweetstream/sources/xstream"
	"github.com/tweetstream-go/tweetstream/xtest"
)

// receiver names the environment variable that makes the test binary a receiver:
// its address, and its arguments the file.
const receiver = "HTTPPAIR_RECEIVER"

func TestMain(m *testing.M) {
	if address := os.Getenv(receiver); address != "" {
		if err := receive(address, os.Args[1]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// receive is the other process: it takes Posts until it is interrupted.
func receive(address, path string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	src, err := httpsource.New()
	if err != nil {
		return err
	}
	file, err := filesink.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	s, err := tweetstream.New(src, tweetstream.WithSink("file", file))
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: src, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = server.Serve(listener) }()
	defer server.Close()
	return s.Run(ctx)
}

// start starts a receiver; stop interrupts it and waits for its end.
func start(t *testing.T, address, path string) (stop func()) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, path)
	cmd.Env = append(os.Environ(), receiver+"="+address)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return func() {
		t.Helper()
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("the receiver: %v", err)
		}
	}
}

// 20,000 Posts at 2,000 a second to a second process: each once, in order, none
// lost; also when that process is stopped and started again twice meanwhile.
func TestTwoProcesses(t *testing.T) {
	for name, restarts := range map[string]int{"steady": 0, "restarted": 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const posts = 20_000
			x := xtest.NewServer(xtest.Rate(2_000), xtest.Limit(posts))
			defer x.Close()
			address, path := free(t), filepath.Join(t.TempDir(), "posts.ndjson")
			stopReceiver := start(t, address, path)

			src, err := xstream.New(xstream.Token("t"), xstream.BaseURL(x.URL), xstream.Rules(tweetstream.Rule{Tag: "coop", Value: "coop"}))
			if err != nil {
				t.Fatal(err)
			}
			to, err := httpsink.New("http://" + address + "/")
			if err != nil {
				t.Fatal(err)
			}
			defer to.Close()
			s, err := tweetstream.New(src, tweetstream.WithSink("http", to, tweetstream.Batch(100, 20*time.Millisecond), tweetstream.Retry(50*time.Millisecond, time.Second)))
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
			defer cancel()
			done := make(chan error, 1)
			go func() { done <- s.Run(ctx) }()

			delivered := func(n uint64) {
				t.Helper()
				tick := time.NewTicker(20 * time.Millisecond)
				defer tick.Stop()
				for {
					if st := s.Stats(); len(st.Sinks) > 0 && st.Sinks[0].Delivered >= n {
						return
					}
					select {
					case <-tick.C:
					case <-ctx.Done():
						t.Fatalf("%d Posts were not delivered in time: %+v", n, s.Stats())
					}
				}
			}
			for i := range restarts {
				delivered(uint64(i+1) * posts / 4)
				stopReceiver()
				stopReceiver = start(t, address, path)
			}
			delivered(posts)
			cancel()
			if err := <-done; err != nil {
				t.Errorf("Run() = %v", err)
			}
			stopReceiver()

			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var ids []string
			for line := range bytes.Lines(data) {
				tw, err := tweetstream.ParseTweet(line)
				if err != nil {
					t.Fatal(err)
				}
				ids = append(ids, tw.ID)
			}
			if diff := cmp.Diff(x.IDs(), ids); diff != "" {
				t.Errorf("%d Posts, want %d; -sent +got:\n%.1000s", len(ids), posts, diff)
			}
			if st := s.Stats().Sinks[0]; restarts > 0 && st.Failures == 0 {
				t.Error("nobody has noticed the restarts")
			}
		})
	}
}

// free returns an address that nobody listens at.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
