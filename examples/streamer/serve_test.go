package main_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"github.com/google/go-cmp/cmp"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sources/httpsource"
	"github.com/tweetstream-go/tweetstream/xtest"
)

// receiver keeps what is posted to it.
type receiver struct {
	mu     sync.Mutex
	bodies []string
	header http.Header
	status int // by default 204
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.status != 0 || err != nil {
		w.WriteHeader(max(r.status, 400))
		return
	}
	r.bodies = append(r.bodies, string(body))
	r.header = req.Header
	w.WriteHeader(http.StatusNoContent)
}

func (r *receiver) got() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.bodies)
}

func (r *receiver) answer(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

// Each message is posted by itself, byte for byte; what was received when the
// signal came, too.
func TestToHTTP(t *testing.T) {
	const canary = "CANARY0s3cret0CANARY"
	lines := madeUp()
	_, x := simulate(t, "--replay", write(t, t.TempDir()+"/lines.ndjson", string(lines)))
	var r receiver
	server := httptest.NewServer(&r)
	defer server.Close()
	to := strings.Replace(server.URL, "http://", "http://user:"+canary+"@", 1) + "/tweets?key=" + canary
	p := start(t, "--api-url", x, "--to", to, "--log-level", "debug")
	want := strings.Split(strings.TrimSuffix(string(lines), "\n"), "\n")
	p.eventually("all messages were posted", func() bool { return len(r.got()) >= len(want) })
	p.stop(os.Interrupt)
	if got := r.got(); !slices.Equal(got, want) {
		t.Errorf("%d messages were posted, and not as the %d were sent", len(got), len(want))
	}
	if got := r.header.Get("Authorization"); got != "Basic "+base64.StdEncoding.EncodeToString([]byte("user:"+canary)) {
		t.Errorf("Authorization is %q", got)
	}
	if got := r.header.Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type is %q", got)
	}
	if strings.Contains(p.stderr.String(), canary) {
		t.Errorf("the password is shown:\n%s", p.stderr.String())
	}
}

// With a secret each request is signed, and with --http-batch it has several
// messages.
func TestToHTTPSigned(t *testing.T) {
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	file := write(t, t.TempDir()+"/secret.txt", secret+"\n")
	if err := os.Chmod(file, 0o640); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		env, args []string
		warnings  int
	}{
		"file":        {args: []string{"--http-secret-file", file}, warnings: 1},
		"environment": {env: []string{"HOOK_SECRET=" + secret}, args: []string{"--http-secret-env", "HOOK_SECRET"}},
	} {
		t.Run(name, func(t *testing.T) {
			src, err := httpsource.New(httpsource.Secret(secret))
			if err != nil {
				t.Fatal(err)
			}
			var mu sync.Mutex
			var got []string
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() {
				ended <- src.Stream(ctx, nil, func(_ context.Context, tweets []*tweetstream.Tweet, _ []byte) error {
					mu.Lock()
					defer mu.Unlock()
					for _, tw := range tweets {
						got = append(got, tw.ID)
					}
					return nil
				})
			}()
			server := httptest.NewServer(src)
			defer server.Close()
			other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			defer other.Close()
			x := newServer(t, xtest.Rate(500))
			args := append([]string{"--api-url", x.URL, "--tag", "coop", "--to", server.URL, "--to", "other=" + other.URL, "--http-batch", "50", "--log-level", "debug"}, c.args...)
			p := command{env: c.env, args: args}.start(t)
			p.eventually("Posts come", func() bool { return src.Stats().Posts > 200 })
			p.stop(os.Interrupt)
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			if sent := x.IDs(); len(sent) < len(got) || !slices.Equal(got, sent[:len(got)]) {
				t.Errorf("the %d Posts that were taken are not the first of the %d that were sent", len(got), len(sent))
			}
			if st := src.Stats(); st.Requests*2 > st.Posts || len(st.Refused) > int(st.Refused["stopped"]) {
				t.Errorf("Stats: %+v", st)
			}
			if strings.Contains(p.stderr.String(), "MfKQ9r8") {
				t.Errorf("the secret is shown:\n%s", p.stderr.String())
			}
			if n := strings.Count(p.stderr.String(), "other users of this machine can read the secret"); n != c.warnings {
				t.Errorf("that others can read the file is said %d times, want %d:\n%s", n, c.warnings, p.stderr.String())
			}
		})
	}
}

// The proxy that the environment names is used.
func TestToHTTPByProxy(t *testing.T) {
	var posts atomic.Int64
	proxy := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.String() == "http://posts.example/in" && r.Method == http.MethodPost {
			posts.Add(1)
		}
	}))
	defer proxy.Close()
	x := newServer(t, xtest.Rate(100))
	p := command{env: []string{"HTTP_PROXY=" + proxy.URL}, args: []string{"--api-url", x.URL, "--tag", "coop", "--to", "http://posts.example/in"}}.start(t)
	p.eventually("Posts come to the proxy", func() bool { return posts.Load() > 5 })
	p.stop(os.Interrupt)
}

// A receiver that fails for a while loses nothing, and what is said about it
// shows no secret.
func TestToHTTPOutage(t *testing.T) {
	const canary = "CANARY0s3cret0CANARY"
	x := newServer(t, xtest.Rate(200))
	r := receiver{status: http.StatusInternalServerError}
	server := httptest.NewServer(&r)
	defer server.Close()
	to := strings.Replace(server.URL, "http://", "http://user:"+canary+"@", 1)
	p := start(t, "--api-url", x.URL, "--tag", "coop", "--to", "web="+to)
	p.eventually("the failure is logged", func() bool { return strings.Contains(p.stderr.String(), "500") })
	r.answer(0)
	p.eventually("Posts come", func() bool { return len(r.got()) > 20 })
	p.stop(os.Interrupt)
	got := ids(t, []byte(strings.Join(r.got(), "\n")))
	if sent := x.IDs(); len(sent) < len(got) || !slices.Equal(got, sent[:len(got)]) {
		t.Errorf("the %d Posts that were posted are not the first of the %d that were sent", len(got), len(sent))
	}
	if strings.Contains(p.stderr.String(), canary) {
		t.Errorf("the password is shown:\n%s", p.stderr.String())
	}
}

var wsAddress = regexp.MustCompile(`ws://127\.0\.0\.1:\d+/\w+`)

// dial connects to a WebSocket.
func dial(t *testing.T, url string, header http.Header) (net.Conn, io.Reader, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	dialer := ws.Dialer{Host: header.Get("Host")}
	header = header.Clone()
	header.Del("Host")
	dialer.Header = ws.HandshakeHeaderHTTP(header)
	conn, early, _, err := dialer.Dial(ctx, url)
	if err != nil {
		return nil, nil, err
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if early == nil {
		return conn, conn, nil
	}
	sent, err := early.Peek(early.Buffered())
	if err != nil {
		t.Fatal(err)
	}
	return conn, io.MultiReader(bytes.NewReader(bytes.Clone(sent)), conn), nil
}

// next returns the next message, after pings.
func next(conn net.Conn, from io.Reader) (string, error) {
	data, _, err := wsutil.ReadServerData(struct {
		io.Reader
		io.Writer
	}{from, conn})
	return string(data), err
}

func TestToWS(t *testing.T) {
	x := newServer(t, xtest.Rate(200))
	p := start(t, "--api-url", x.URL, "--tag", "coop", "--tag", "tea", "--to", "ws://127.0.0.1:0/feed?origin=http://localhost:3000")
	p.eventually("it says where the WebSocket is", func() bool { return wsAddress.MatchString(p.stderr.String()) })
	url := wsAddress.FindString(p.stderr.String())

	conn, from, err := dial(t, url+"?tag=coop", http.Header{"Origin": {"http://localhost:3000"}})
	if err != nil {
		t.Fatal(err)
	}
	sent := map[string]bool{}
	for range 50 {
		message, err := next(conn, from)
		if err != nil {
			t.Fatal(err)
		}
		tweet, err := tweetstream.ParseTweet([]byte(message))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(tweet.Rules, func(r tweetstream.Rule) bool { return r.Tag == "coop" }) {
			t.Fatalf("a Post of %v", tweet.Rules)
		}
		sent[tweet.ID] = true
	}
	if len(sent) != 50 {
		t.Errorf("%d Posts, want 50 different ones", len(sent))
	}

	for name, tt := range map[string]struct {
		url    string
		header http.Header
		want   int
	}{
		"other path":   {strings.TrimSuffix(url, "feed"), nil, 404},
		"other origin": {url, http.Header{"Origin": {"http://evil.example"}}, 403},
		"other host":   {url, http.Header{"Host": {"evil.example"}}, 421},
	} {
		_, _, err := dial(t, tt.url, tt.header)
		var status ws.StatusError
		if !errors.As(err, &status) || int(status) != tt.want {
			t.Errorf("%s: %v, want %d", name, err, tt.want)
		}
	}

	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	var closed wsutil.ClosedError
	for {
		if _, err := next(conn, from); err != nil {
			if !errors.As(err, &closed) || closed.Code != ws.StatusGoingAway {
				t.Errorf("the end is %v, want 1001", err)
			}
			break
		}
	}
	if code := p.wait(); code != 0 {
		t.Errorf("exit code %d, want 0; stderr:\n%s", code, p.stderr.String())
	}
}

// With --remote, by flag or file, others may come.
func TestToWSRemote(t *testing.T) {
	x := newServer(t)
	for _, by := range []string{"flag", "file"} {
		c := command{dir: t.TempDir(), args: []string{"--api-url", x.URL, "--tag", "coop", "--to", "ws://0.0.0.0:0/feed"}}
		if by == "flag" {
			c.args = append(c.args, "--remote")
		} else {
			write(t, c.dir+"/streamer.yaml", "remote: true\n")
		}
		p := c.start(t)
		p.eventually("it serves", func() bool {
			return strings.Contains(p.stderr.String(), "ws://[::]:") || strings.Contains(p.stderr.String(), "ws://0.0.0.0:")
		})
		p.stop(os.Interrupt)
	}
}

func TestToWSTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	x := newServer(t)
	p := start(t, "--api-url", x.URL, "--tag", "coop", "--to", "live=ws://"+l.Addr().String()+"/feed")
	if code := p.wait(); code != 1 || !strings.Contains(p.stderr.String(), `--to "live=ws://`+l.Addr().String()+`/feed": listen tcp`) {
		t.Errorf("exit code %d, stderr %q; want 1 and which sink can't be opened", code, p.stderr.String())
	}
	if diff := cmp.Diff(0, len(x.Requests())); diff != "" {
		t.Errorf("X was asked before (-want +got):\n%s", diff)
	}
}
