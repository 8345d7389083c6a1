package httpsource_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sinks/httpsink"
	"github.com/tweetstream-go/tweetstream/sources/httpsource"
	"github.com/tweetstream-go/tweetstream/sources/xstream"
	"github.com/tweetstream-go/tweetstream/xtest"
)

// recorder is a sink that keeps what it gets.
type recorder struct {
	mu     sync.Mutex
	tweets []*tweetstream.Tweet
}

func (r *recorder) Deliver(_ context.Context, tweets []*tweetstream.Tweet) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tweets = append(r.tweets, tweets...)
	return nil
}

func (r *recorder) Defaults() []tweetstream.SinkOption {
	return []tweetstream.SinkOption{tweetstream.Batch(1_000, 0)}
}

func (r *recorder) ids() (ids []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range r.tweets {
		ids = append(ids, t.ID)
	}
	return ids
}

// run runs a Streamer and returns what ends it.
func run(t testing.TB, src tweetstream.Source, opts ...tweetstream.Option) (s *tweetstream.Streamer, stop func()) {
	t.Helper()
	s, err := tweetstream.New(src, opts...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	return s, func() {
		t.Helper()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run() = %v", err)
		}
	}
}

func newSource(t testing.TB) *httpsource.Source {
	t.Helper()
	src, err := httpsource.New()
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// sender streams from a simulated X to an address.
func sender(t testing.TB, x *xtest.Server, client *http.Client, opts ...tweetstream.SinkOption) (s *tweetstream.Streamer, stop func()) {
	t.Helper()
	src, err := xstream.New(xstream.Token("secret"), xstream.BaseURL(x.URL), xstream.HTTPClient(x.Client()), xstream.Rules(tweetstream.Rule{Tag: "coop", Value: "coop"}))
	if err != nil {
		t.Fatal(err)
	}
	to, err := httpsink.New("http://127.0.0.1:8080/tweets", httpsink.Client(client))
	if err != nil {
		t.Fatal(err)
	}
	return run(t, src, tweetstream.WithSink("http", to, opts...))
}

// From X over HTTP to a sink behind another Streamer: each Post once, and in the
// order of X.
func TestPipeline(t *testing.T) {
	for name, c := range map[string]struct {
		posts int
		opts  []tweetstream.SinkOption
	}{
		"one by one": {posts: 5_000},
		"in batches": {20_000, []tweetstream.SinkOption{tweetstream.Batch(100, time.Second)}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := xtest.NewServer(xtest.InMemory(), xtest.Rate(2_000), xtest.Limit(c.posts))
				defer x.Close()
				src := newSource(t)
				_, client := serve(t, src)
				var got recorder
				_, stopReceiver := run(t, src, tweetstream.WithSink("recorder", &got))
				s, stopSender := sender(t, x, client, c.opts...)
				time.Sleep(15 * time.Second)
				stopSender()
				stopReceiver()
				if diff := cmp.Diff(x.IDs(), got.ids()); diff != "" || len(got.tweets) != c.posts {
					t.Errorf("%d Posts, want %d; -sent +got:\n%.1000s", len(got.tweets), c.posts, diff)
				}
				if st := s.Stats().Sinks[0]; st.Failures != 0 {
					t.Errorf("%d failures: %s", st.Failures, st.LastError)
				}
			})
		})
	}
}

// Batches as arrays: each message arrives once, byte for byte, but for one that is
// no Post, which is named to the sender.
func TestArraysThroughThePipeline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newSource(t)
		_, client := serve(t, src)
		var got recorder
		_, stopReceiver := run(t, src, tweetstream.WithSink("recorder", &got))
		synctest.Wait()
		to, err := httpsink.New("http://127.0.0.1/", httpsink.Client(client), httpsink.Array(), httpsink.Gzip())
		if err != nil {
			t.Fatal(err)
		}
		var sent posted
		var want []string
		for i := range 1_000 {
			raw := fmt.Sprintf(`{"data":{"id":"%d","text":"a  \u00e9 é ] , ["}, "matching_rules":[] }`, i)
			if i == 500 {
				sent = append(sent, &tweetstream.Tweet{ID: "500", Raw: []byte(`{"data":{}}`)})
				continue
			}
			tw, err := tweetstream.ParseTweet([]byte(raw))
			if err != nil {
				t.Fatal(err)
			}
			sent, want = append(sent, tw), append(want, raw)
		}
		var dead []string
		bury := func(_ context.Context, letters []tweetstream.Letter) error {
			for _, l := range letters {
				dead = append(dead, l.Tweet.ID)
			}
			return nil
		}
		_, stop := run(t, sent, tweetstream.WithSink("http", to, tweetstream.Batch(100, 0)), tweetstream.WithDeadLetter(bury))
		time.Sleep(time.Minute)
		stop()
		stopReceiver()
		var lines []string
		for _, tw := range got.tweets {
			lines = append(lines, string(tw.Raw))
		}
		if diff := cmp.Diff(want, lines); diff != "" {
			t.Errorf("-want +got:\n%.1000s", diff)
		}
		if st := src.Stats(); !slices.Equal(dead, []string{"500"}) || st.Requests != 11 {
			t.Errorf("dead letter %v; Stats: %+v", dead, st)
		}
	})
}

// swapped is a handler that is taken away and replaced.
type swapped struct{ handler atomic.Pointer[http.Handler] }

func (s *swapped) set(h http.Handler) { s.handler.Store(&h) }

func (s *swapped) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	(*s.handler.Load()).ServeHTTP(w, r)
}

// The receiver is stopped in the middle, is away for a while, refusing
// connections or answering 502 as a proxy would, and starts again: nothing is
// lost, and what comes twice is what was under way.
func TestTheReceiverIsRestarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const posts, batch = 20_000, 100
		x := xtest.NewServer(xtest.InMemory(), xtest.Rate(2_000), xtest.Limit(posts))
		defer x.Close()
		var mux swapped
		_, client := serve(t, &mux)
		var got recorder
		begin := func() (stop func()) {
			src := newSource(t)
			mux.set(src)
			_, stop = run(t, src, tweetstream.WithSink("recorder", &got))
			return stop
		}
		stop := begin()
		s, stopSender := sender(t, x, client, tweetstream.Batch(batch, 50*time.Millisecond))
		for range 3 {
			time.Sleep(2*time.Second + 17*time.Millisecond)
			stop()
			time.Sleep(time.Second)
			mux.set(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				conn, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
				}
				_ = conn.Close()
			}))
			time.Sleep(time.Second)
			mux.set(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
			time.Sleep(time.Second)
			stop = begin()
		}
		time.Sleep(time.Minute)
		stopSender()
		stop()
		if st := s.Stats().Sinks[0]; st.Failures == 0 || len(st.Lost) > 0 {
			t.Errorf("Stats: %+v", st)
		}
		seen := map[string]bool{}
		var once []string
		for _, id := range got.ids() {
			if !seen[id] {
				once = append(once, id)
			}
			seen[id] = true
		}
		if diff := cmp.Diff(x.IDs(), once); diff != "" {
			t.Errorf("%d Posts; -sent +got:\n%.1000s", len(once), diff)
		}
		if twice := len(got.tweets) - len(once); twice > 3*batch {
			t.Errorf("%d Posts came twice", twice)
		}
	})
}

// blocker is a sink that takes nothing until it is opened.
type blocker struct {
	recorder
	open chan struct{}
}

func (b *blocker) Deliver(ctx context.Context, tweets []*tweetstream.Tweet) error {
	select {
	case <-b.open:
		return b.recorder.Deliver(ctx, tweets)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// A receiver that can't keep up makes the sender wait, and loses nothing.
func TestASlowSinkHoldsTheSender(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newSource(t)
		_, client := serve(t, src)
		b := &blocker{open: make(chan struct{})}
		receiver, stopReceiver := run(t, src, tweetstream.WithSink("slow", b), tweetstream.WithBuffer(1<<20))
		to, err := httpsink.New("http://127.0.0.1/", httpsink.Client(client))
		if err != nil {
			t.Fatal(err)
		}
		const posts = 2_000
		sent := make(posted, posts)
		for i := range sent {
			sent[i], err = tweetstream.ParseTweet([]byte(`{"data":{"id":"` + strconv.Itoa(i+1) + `","text":"` + strings.Repeat("x", 2_400) + `"}}`))
			if err != nil {
				t.Fatal(err)
			}
		}
		s, stopSender := run(t, sent, tweetstream.WithSink("http", to, tweetstream.Batch(100, 0)))
		time.Sleep(time.Minute)
		if st := receiver.Stats(); st.Held == "" || src.Stats().Refused["held"] == 0 || len(s.Stats().Sinks[0].Lost) > 0 {
			t.Errorf("%+v, %+v, %+v", st, src.Stats(), s.Stats())
		}
		close(b.open)
		time.Sleep(time.Minute)
		stopSender()
		stopReceiver()
		if got := b.ids(); len(got) != posts || got[posts-1] != strconv.Itoa(posts) {
			t.Errorf("%d Posts arrived, want %d", len(got), posts)
		}
	})
}

// posted is a source that emits its tweets and ends.
type posted []*tweetstream.Tweet

func (p posted) Stream(ctx context.Context, _ []byte, emit tweetstream.Emit) error {
	return emit(ctx, p, nil)
}

// Real messages, if there are any, go the whole way byte for byte.
func TestRealMessagesThroughThePipeline(t *testing.T) {
	name := os.Getenv("TWEETSTREAM_SAMPLES")
	if name == "" {
		t.Skip("TWEETSTREAM_SAMPLES names no file")
	}
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for line := range strings.Lines(string(data)) {
		want = append(want, strings.TrimRight(line, "\r\n"))
	}
	for _, size := range []int{1, 7, 100} {
		synctest.Test(t, func(t *testing.T) {
			x := xtest.NewServer(xtest.InMemory(), xtest.Replay(bytes.NewReader(data)))
			defer x.Close()
			src := newSource(t)
			_, client := serve(t, src)
			var got recorder
			_, stopReceiver := run(t, src, tweetstream.WithSink("recorder", &got))
			_, stopSender := sender(t, x, client, tweetstream.Batch(size, time.Second))
			time.Sleep(time.Minute)
			stopSender()
			stopReceiver()
			var lines []string
			for _, tw := range got.tweets {
				lines = append(lines, string(tw.Raw))
			}
			if diff := cmp.Diff(want, lines); diff != "" {
				t.Errorf("batches of %d: -want +got:\n%s", size, diff)
			}
		})
	}
}

// Whatever goes wrong on the way, neither secrets nor the text of a Post stand in
// a log, an error or Stats.
func TestCanary(t *testing.T) {
	const canary = "kanarienvogel"
	good := `{"data":{"id":"1","text":"` + canary + ` tirili"}}`
	for name, fault := range map[string]func(http.Handler) http.HandlerFunc{
		"bad messages": func(next http.Handler) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				r.Body = io.NopCloser(bytes.NewReader(bytes.ReplaceAll(body, []byte(`"id"`), []byte(`"`+canary+`"`))))
				next.ServeHTTP(w, r)
			}
		},
		"no authorization": func(next http.Handler) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				r.Header.Set("Authorization", canary)
				next.ServeHTTP(w, r)
			}
		},
		"an echo": func(http.Handler) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(http.StatusTeapot)
				_ = r.Write(w)
			}
		},
		"another Host": func(next http.Handler) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				r.Host = canary
				next.ServeHTTP(w, r)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				var log bytes.Buffer
				logger := slog.New(slog.NewTextHandler(writer(func(p []byte) (int, error) {
					mu.Lock()
					defer mu.Unlock()
					return log.Write(p)
				}), &slog.HandlerOptions{Level: slog.LevelDebug}))
				src, err := httpsource.New(httpsource.Authorize(func(r *http.Request) error {
					if _, password, _ := r.BasicAuth(); password != canary {
						return fmt.Errorf("%s is wrong", password)
					}
					return nil
				}))
				if err != nil {
					t.Fatal(err)
				}
				_, client := serve(t, fault(src))
				receiver, stopReceiver := run(t, src, tweetstream.WithSink("recorder", &recorder{}), tweetstream.WithLogger(logger))
				to, err := httpsink.New("http://user:"+canary+"@localhost/?key="+canary, httpsink.Client(client))
				if err != nil {
					t.Fatal(err)
				}
				tw, err := tweetstream.ParseTweet([]byte(good))
				if err != nil {
					t.Fatal(err)
				}
				s, stop := run(t, posted{tw}, tweetstream.WithSink("http", to), tweetstream.WithLogger(logger))
				time.Sleep(time.Minute)
				said := fmt.Sprintf("%+v %+v %+v %+v", s.Stats(), receiver.Stats(), src.Stats(), to)
				stop()
				stopReceiver()
				said += log.String()
				if strings.Contains(said, canary) || strings.Contains(said, "tirili") {
					t.Errorf("said:\n%s", said)
				}
				if !strings.Contains(said, "httpsink: POST http://localhost/") {
					t.Errorf("nothing failed:\n%s", said)
				}
			})
		})
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }
