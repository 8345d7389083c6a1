package spine_test

import (
	"bufio"
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sinks/filesink"
	"github.com/tweetstream-go/tweetstream/sinks/httpsink"
	"github.com/tweetstream-go/tweetstream/sources/xstream"
	"github.com/tweetstream-go/tweetstream/xtest"
)

// webdemo starts the demo as a process that waits for Posts, and returns the host
// that it listens on.
func webdemo(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "webdemo")
	if out, err := exec.Command("go", "build", "-o", binary, "../../examples/webdemo").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	cmd := exec.Command(binary, "--receive", "--listen", "127.0.0.1:0")
	cmd.Dir = t.TempDir()
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = cmd.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	host := make(chan string, 1)
	read := make(chan struct{})
	go func() {
		defer close(read)
		sc := bufio.NewScanner(out)
		for sc.Scan() {
			if m := regexp.MustCompile(`http://(127\.0\.0\.1:\d+)`).FindStringSubmatch(sc.Text()); m != nil {
				select {
				case host <- m[1]:
				default:
				}
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		<-read
		if err := cmd.Wait(); err != nil {
			t.Errorf("webdemo: %v", err)
		}
	})
	select {
	case h := <-host:
		return h
	case <-read:
		t.Fatal("webdemo has ended at once")
	case <-time.After(time.Minute):
		t.Fatal("webdemo says no address")
	}
	return ""
}

// viewer reads the feed and notes the ids.
type viewer struct {
	conn *websocket.Conn
	got  []string
	have atomic.Int64
}

func (v *viewer) read(t *testing.T) {
	for {
		_, raw, err := v.conn.ReadMessage()
		if err != nil {
			return
		}
		tw, err := tweetstream.ParseTweet(raw)
		if err != nil {
			t.Errorf("a frame of the feed: %v", err)
			return
		}
		v.got = append(v.got, tw.ID)
		v.have.Store(int64(len(v.got)))
	}
}

// 20,000 Posts at 2,000 a second into a file and, over HTTP, to another process
// whose hub has twenty viewers: each once and in order, none lost.
func TestThroughFileHTTPAndHub(t *testing.T) {
	const viewers = 20
	host := webdemo(t)
	var all [viewers]*viewer
	var reading sync.WaitGroup
	for i := range all {
		conn, resp, err := websocket.DefaultDialer.DialContext(t.Context(), "ws://"+host+"/ws", http.Header{"Origin": {"http://" + host}})
		if err != nil {
			t.Fatalf("viewer %d: %v, %v", i, err, resp)
		}
		all[i] = &viewer{conn: conn}
		reading.Go(func() { all[i].read(t) })
	}

	x := xtest.NewServer(xtest.Rate(perSecond), xtest.Limit(posts))
	defer x.Close()
	src, err := xstream.New(xstream.Token("any"), xstream.BaseURL(x.URL), xstream.Rules(tweetstream.Rule{Tag: "coop", Value: "coop OR #coop"}))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "posts.ndjson")
	file, err := filesink.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	post, err := httpsink.New("http://" + host + "/tweets")
	if err != nil {
		t.Fatal(err)
	}
	defer post.Close()
	s, err := tweetstream.New(src,
		tweetstream.WithSink("file", file),
		tweetstream.WithSink("http", post, tweetstream.Batch(200, 50*time.Millisecond)),
	)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	go func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for range tick.C {
			want := int64(len(x.IDs()))
			done := x.Stats().Made == posts && s.Stats().Sinks[0].Delivered == uint64(want)
			for _, v := range all {
				done = done && v.have.Load() >= want
			}
			if done || ctx.Err() != nil {
				cancel()
				return
			}
		}
	}()
	if err := s.Run(ctx); err != nil {
		t.Fatal(err)
	}
	for _, v := range all {
		_ = v.conn.Close()
	}
	reading.Wait()
	want := x.IDs()
	same(t, "the file", want, lines(t, path))
	for i, v := range all {
		if !same(t, "a viewer", want, v.got) {
			t.Fatalf("that was viewer %d; Stats: %+v", i, s.Stats())
		}
	}
	for _, sink := range s.Stats().Sinks {
		if sink.Failures != 0 || len(sink.Lost) != 0 {
			t.Errorf("sink %s: %+v", sink.Name, sink)
		}
	}
}

func same(t *testing.T, who string, want, got []string) bool {
	t.Helper()
	for i := range want {
		if i >= len(got) || got[i] != want[i] {
			t.Errorf("%s has %d of %d Posts, and another than X sent at %d", who, len(got), len(want), i)
			return false
		}
	}
	if len(got) != len(want) {
		t.Errorf("%s has %d Posts of %d", who, len(got), len(want))
	}
	return len(got) == len(want)
}
