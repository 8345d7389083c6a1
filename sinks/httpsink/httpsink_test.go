package httpsink_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sinks/httpsink"
)

func posts(from, to int) (ts []*tweetstream.Tweet) {
	for id := from; id <= to; id++ {
		ts = append(ts, parse(fmt.Sprintf(`{"data":{"id":"%d","text":"post number %[1]d"}}`, id)))
	}
	return ts
}

func TestOnePostIsTheBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := receive(t, nil)
		s := rec.sink(t, httpsink.Header("X-Mine", "a"), httpsink.Header("x-mine", "b"))
		raw := `{"data":{"id":"1","text":"caf\u00e9  \"é\""},"matching_rules":[]}`
		if err := s.Deliver(t.Context(), []*tweetstream.Tweet{parse(raw)}); err != nil {
			t.Fatal(err)
		}
		got := rec.got()[0]
		if got.body != raw {
			t.Errorf("body %s\nwant %s", got.body, raw)
		}
		got.header.Del("Accept-Encoding")
		want := http.Header{"Content-Type": {"application/json"}, "Content-Length": {strconv.Itoa(len(raw))}, "User-Agent": {"tweetstream"}, "Idempotency-Key": {"1"}, "X-Mine": {"a", "b"}}
		if diff := cmp.Diff(want, got.header); diff != "" {
			t.Errorf("headers (-want +got):\n%s", diff)
		}
	})
}

func TestABatchIsOneMessageALine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := receive(t, nil)
		s := rec.sink(t)
		ts := posts(1, 3)
		ts = append(ts, ts[0].WithRaw([]byte("{\"data\":\n{\"id\":\r\n\"4\"}}")))
		if err := s.Deliver(t.Context(), ts); err != nil {
			t.Fatal(err)
		}
		got := rec.got()[0]
		want := string(ts[0].Raw) + "\n" + string(ts[1].Raw) + "\n" + string(ts[2].Raw) + "\n" + `{"data":{"id":"4"}}` + "\n"
		if got.body != want || got.header.Get("Content-Type") != "application/x-ndjson" {
			t.Errorf("%s:\n%s\nwant\n%s", got.header.Get("Content-Type"), got.body, want)
		}
	})
}

// What can't be a line is the Post's fault; the others are sent.
func TestABrokenMessageDoesNotHoldTheBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := receive(t, nil)
		s := rec.sink(t)
		ts := append(posts(1, 2), &tweetstream.Tweet{ID: "3", Raw: []byte("{\n")}, &tweetstream.Tweet{ID: "4"})
		err := s.Deliver(t.Context(), ts)
		for _, id := range []string{"3", "4"} {
			if err == nil || !strings.Contains(err.Error(), "tweet "+id) {
				t.Errorf("Deliver() = %v, want tweet %s named", err, id)
			}
		}
		if err := s.Deliver(t.Context(), ts[3:]); kind(err) != "tweet" {
			t.Errorf("Deliver() of an empty message = %v", err)
		}
		if got := rec.got(); len(got) != 1 || strings.Count(got[0].body, "\n") != 2 {
			t.Errorf("sent: %v", got)
		}
	})
}

// kind tells what the Streamer takes an error for, whose types are its own.
func kind(err error) string {
	var one *tweetstream.TweetError
	switch typ := fmt.Sprintf("%T", err); {
	case err == nil:
		return "delivered"
	case typ == "*tweetstream.permanentError":
		return "permanent"
	case typ == "*tweetstream.retryAfterError":
		return "later"
	case errors.As(err, &one):
		return "tweet"
	}
	return "again"
}

// run streams tweets into a sink until all are delivered or given up, and returns
// the ids of those that were given up.
func run(t *testing.T, s tweetstream.Sink, tweets []*tweetstream.Tweet, opts ...tweetstream.SinkOption) (rejected []string) {
	t.Helper()
	bury := func(_ context.Context, letters []tweetstream.Letter) error {
		for _, l := range letters {
			rejected = append(rejected, l.Tweet.ID)
		}
		return nil
	}
	streamer, err := tweetstream.New(source(tweets), tweetstream.WithSink("http", s, opts...), tweetstream.WithDeadLetter(bury))
	if err != nil {
		t.Fatal(err)
	}
	if err := streamer.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	return rejected
}

// Each answer is followed by 204. When the second request comes tells what the
// first answer was taken for.
func TestAnswers(t *testing.T) {
	const lost, at = -1, 0
	again := [2]time.Duration{250 * time.Millisecond, 750 * time.Millisecond}
	exactly := func(d time.Duration) [2]time.Duration { return [2]time.Duration{d, d} }
	date := "Fri, 31 Dec 1999 23:58:00 GMT"
	for name, c := range map[string]struct {
		status int
		header http.Header
		want   [2]time.Duration
	}{
		"200":                      {status: 200},
		"201":                      {status: 201},
		"204":                      {status: 204},
		"299":                      {status: 299},
		"200, Retry-After":         {status: 200, header: http.Header{"Retry-After": {"60"}}},
		"300":                      {status: 300, want: again},
		"301":                      {status: 301, header: http.Header{"Location": {"http://127.0.0.1/elsewhere"}}, want: again},
		"304":                      {status: 304, want: again},
		"307":                      {status: 307, header: http.Header{"Location": {"/elsewhere"}}, want: again},
		"308":                      {status: 308, header: http.Header{"Location": {":bad:"}}, want: again},
		"400":                      {status: 400, want: exactly(lost)},
		"401":                      {status: 401, want: again},
		"403":                      {status: 403, want: again},
		"404":                      {status: 404, want: again},
		"408":                      {status: 408, want: again},
		"409":                      {status: 409, want: again},
		"410":                      {status: 410, want: again},
		"413":                      {status: 413, want: exactly(lost)},
		"413, Retry-After":         {status: 413, header: http.Header{"Retry-After": {"9"}}, want: exactly(9 * time.Second)},
		"415":                      {status: 415, want: exactly(lost)},
		"421":                      {status: 421, want: again},
		"422":                      {status: 422, want: exactly(lost)},
		"429":                      {status: 429, want: exactly(time.Second)},
		"429, 7 s":                 {status: 429, header: http.Header{"Retry-After": {"7"}}, want: exactly(7 * time.Second)},
		"500":                      {status: 500, want: again},
		"500, 2 s":                 {status: 500, header: http.Header{"Retry-After": {"2"}}, want: exactly(2 * time.Second)},
		"503":                      {status: 503, want: again},
		"503, at once":             {status: 503, header: http.Header{"Retry-After": {"0"}}, want: exactly(time.Second)},
		"503, next year":           {status: 503, header: http.Header{"Retry-After": {"31536000"}}, want: exactly(5 * time.Minute)},
		"503, never":               {status: 503, header: http.Header{"Retry-After": {"99999999999999999999999"}}, want: exactly(5 * time.Minute)},
		"503, nonsense":            {status: 503, header: http.Header{"Retry-After": {"soon"}}, want: again},
		"503, negative":            {status: 503, header: http.Header{"Retry-After": {"-5"}}, want: again},
		"503, by its own clock":    {status: 503, header: http.Header{"Date": {date}, "Retry-After": {"Fri, 31 Dec 1999 23:59:00 GMT"}}, want: exactly(time.Minute)},
		"503, by a clock far away": {status: 503, header: http.Header{"Date": {"Fri, 01 Jan 2077 00:00:00 GMT"}, "Retry-After": {"Fri, 01 Jan 2077 00:00:30 GMT"}}, want: exactly(30 * time.Second)},
		"503, in the past":         {status: 503, header: http.Header{"Date": {date}, "Retry-After": {"Fri, 31 Dec 1999 23:00:00 GMT"}}, want: exactly(time.Second)},
		"503, without a Date":      {status: 503, header: http.Header{"Date": nil, "Retry-After": {"Sat, 01 Jan 2000 00:00:20 GMT"}}, want: exactly(20 * time.Second)},
		"599":                      {status: 599, want: again},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				var second time.Duration
				rec := receive(t, func(w http.ResponseWriter, r *http.Request, n int) {
					if n > 0 {
						second = time.Since(begin)
						w.WriteHeader(http.StatusNoContent)
						return
					}
					for name, values := range c.header {
						w.Header()[name] = values
					}
					w.WriteHeader(c.status)
				})
				rejected := run(t, rec.sink(t), posts(1, 1))
				switch {
				case (c.want[at] == lost) != (len(rejected) == 1):
					t.Errorf("rejected: %v", rejected)
				case c.want[at] == lost:
				case second < c.want[0] || second > c.want[1]:
					t.Errorf("the second request came after %v, want %v", second, c.want)
				}
				for _, r := range rec.got() {
					if r.path != "/tweets" {
						t.Errorf("a redirect to %s is followed", r.path)
					}
				}
			})
		})
	}
}

// A batch that is too large, or holds a Post at fault, is split.
func TestABatchIsSplit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		taken := map[string]bool{}
		rec := receive(t, nil)
		rec.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var body bytes.Buffer
			_, _ = body.ReadFrom(r.Body)
			switch {
			case bytes.Count(body.Bytes(), []byte{'\n'}) > 10:
				w.WriteHeader(http.StatusRequestEntityTooLarge)
			case bytes.Contains(body.Bytes(), []byte(`"id":"17"`)):
				w.WriteHeader(http.StatusBadRequest)
			default:
				for line := range strings.Lines(body.String()) {
					taken[parse(line).ID] = true
				}
			}
		})
		rejected := run(t, rec.sink(t), posts(1, 100), tweetstream.Batch(100, time.Second))
		if diff := cmp.Diff([]string{"17"}, rejected); diff != "" || len(taken) != 99 {
			t.Errorf("%d taken, rejected (-want +got):\n%s", len(taken), diff)
		}
	})
}

// A receiver that knows no batches gets single Posts.
func TestAReceiverWithoutBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := receive(t, func(w http.ResponseWriter, r *http.Request, _ int) {
			if r.Header.Get("Content-Type") != "application/json" {
				w.WriteHeader(http.StatusUnsupportedMediaType)
			}
		})
		if rejected := run(t, rec.sink(t), posts(1, 8), tweetstream.Batch(8, time.Second)); len(rejected) > 0 {
			t.Errorf("rejected: %v", rejected)
		}
	})
}

func TestByDefaultOnePostARequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := receive(t, nil)
		run(t, rec.sink(t), posts(1, 50))
		if n := len(rec.got()); n != 50 || rec.Dials() != 1 {
			t.Errorf("%d requests over %d connections, want 50 over 1", n, rec.Dials())
		}
	})
}

func TestNewRefuses(t *testing.T) {
	const secret = "kanarienvogel"
	for name, c := range map[string]struct {
		url  string
		opts []httpsink.Option
		want string
	}{
		"empty":             {url: "", want: "want a URL"},
		"a path":            {url: "/" + secret, want: "want a URL"},
		"no host":           {url: "http:///" + secret, want: "not a URL of a server"},
		"a port alone":      {url: "http://:80/" + secret, want: "not a URL of a server"},
		"opaque":            {url: "http:" + secret, want: "not a URL of a server"},
		"another scheme":    {url: "ftp://" + secret + "@host/", want: "http:// or https://"},
		"no URL":            {url: "http://[" + secret, want: "not a URL of a server"},
		"bad port":          {url: "http://user:" + secret + "@host:port/", want: "not a URL of a server"},
		"control character": {url: "http://host/\n" + secret, want: "not a URL of a server"},
		"fragment":          {url: "http://host/#" + secret, want: "fragment"},
		"password in clear": {url: "http://user:" + secret + "@example.com/", want: "https only"},
		"token in clear":    {url: "http://example.com/", opts: []httpsink.Option{httpsink.Header("authorization", "Bearer "+secret)}, want: "https only"},
		"cookie in clear":   {url: "http://10.0.0.1/", opts: []httpsink.Option{httpsink.Header("Cookie", secret)}, want: "https only"},
		"two credentials":   {url: "https://user:" + secret + "@example.com/", opts: []httpsink.Option{httpsink.Header("Authorization", secret)}, want: "Header: Authorization is given twice"},
		"two tokens":        {url: "https://example.com/", opts: []httpsink.Option{httpsink.Header("Authorization", secret), httpsink.Header("authorization", secret)}, want: "Header: Authorization is given twice"},
		"no header":         {url: "http://host/", opts: []httpsink.Option{httpsink.Header("", secret)}, want: "Header: name 1"},
		"bad header":        {url: "http://host/", opts: []httpsink.Option{httpsink.Header("X Y", secret)}, want: "Header: name 1"},
		"two lines":         {url: "http://host/", opts: []httpsink.Option{httpsink.Header("X", secret+"\r\nY: "+secret)}, want: "Header: the value of X"},
		"Host":              {url: "http://host/", opts: []httpsink.Option{httpsink.Header("host", secret)}, want: "Header: Host can't be set"},
		"Content-Type":      {url: "http://host/", opts: []httpsink.Option{httpsink.Header("content-type", secret)}, want: "Header: Content-Type can't be set"},
		"Idempotency-Key":   {url: "http://host/", opts: []httpsink.Option{httpsink.Header("idempotency-key", secret)}, want: "Header: Idempotency-Key can't be set"},
		"nil client":        {url: "http://host/", opts: []httpsink.Option{httpsink.Client(nil)}, want: "Client: the client is nil"},
		"Webhook-Id":        {url: "http://host/", opts: []httpsink.Option{httpsink.Header("webhook-id", secret)}, want: "Header: Webhook-Id can't be set"},
		"no secret":         {url: "http://host/", opts: []httpsink.Option{httpsink.Secret("")}, want: "Secret: there is no secret"},
		"a short secret":    {url: "http://host/", opts: []httpsink.Option{httpsink.Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", secret)}, want: "Secret: secret 2 is not base64"},
		"no encoder":        {url: "http://host/", opts: []httpsink.Option{httpsink.Encode("text/plain", nil)}, want: "Encode: the function is nil"},
		"no type":           {url: "http://host/", opts: []httpsink.Option{httpsink.Encode("", nil)}, want: "Encode: \"\" is no Content-Type"},
		"no rate":           {url: "http://host/", opts: []httpsink.Option{httpsink.MaxRate(0, time.Second)}, want: "MaxRate: want 1 or more"},
		"no time":           {url: "http://host/", opts: []httpsink.Option{httpsink.MaxRate(1, 0)}, want: "MaxRate: want 1 or more"},
		"no classifier":     {url: "http://host/", opts: []httpsink.Option{httpsink.Classify(nil)}, want: "Classify: the function is nil"},
		"nil logger":        {url: "http://host/", opts: []httpsink.Option{httpsink.Logger(nil)}, want: "Logger: the logger is nil"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := httpsink.New(c.url, c.opts...)
			if err == nil || s != nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("New() = %v, %v, want an error with %q", s, err, c.want)
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the secret is shown: %v", err)
			}
		})
	}
	for _, url := range []string{
		"https://user:pass@example.com/a?b=c", "http://user:pass@localhost:8080", "http://user@[::1]/", "http://127.0.0.2/x", "HTTP://example.com", "https://hooks.example.com:8443/",
	} {
		if _, err := httpsink.New(url); err != nil {
			t.Errorf("New(%q) = %v", url, err)
		}
	}
}

func TestCredentialsOfTheURL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := receive(t, func(_ http.ResponseWriter, r *http.Request, _ int) {
			if user, password, _ := r.BasicAuth(); user != "us%er" || password != "p:w" || r.URL.RawQuery != "key=a%20b" {
				t.Errorf("%q, %q and %q", user, password, r.URL.RawQuery)
			}
		})
		s := sink(t, "http://us%25er:p%3Aw@127.0.0.1/tweets?key=a%20b", httpsink.Client(rec.client))
		if err := s.Deliver(t.Context(), posts(1, 1)); err != nil {
			t.Error(err)
		}
	})
}

// With the sink's own client, over sockets: HTTP/2 where TLS is, and connections
// that are used again.
func TestConnectionsAreUsedAgain(t *testing.T) {
	for name, start := range map[string]func(*httptest.Server){
		"HTTP/1.1": (*httptest.Server).Start,
		"HTTP/2.0": func(s *httptest.Server) { s.EnableHTTP2 = true; s.StartTLS() },
	} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			conns, protos := map[string]bool{}, map[string]int{}
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				defer mu.Unlock()
				conns[r.RemoteAddr] = true
				protos[r.Proto]++
				if protos[r.Proto]%10 == 0 {
					w.WriteHeader(http.StatusServiceUnavailable)
					_, _ = w.Write(bytes.Repeat([]byte("come again "), 5_000))
				}
			}))
			start(server)
			t.Cleanup(server.Close)
			s := sink(t, server.URL)
			if cert := server.Certificate(); cert != nil {
				s.Trust(server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs)
			}
			if rejected := run(t, s, posts(1, 200), tweetstream.Parallel(8), tweetstream.Retry(time.Millisecond, time.Millisecond)); len(rejected) > 0 {
				t.Errorf("rejected: %v", rejected)
			}
			mu.Lock()
			defer mu.Unlock()
			if len(conns) > 16 || // a dial may be under way while a connection becomes free
				protos[name] < 200 || len(protos) != 1 {
				t.Errorf("%v over %d connections, want about 8", protos, len(conns))
			}
		})
	}
}

func TestDefaults(t *testing.T) {
	s := sink(t, "http://127.0.0.1/")
	if len(s.Defaults()) != 1 {
		t.Errorf("%d defaults", len(s.Defaults()))
	}
	if tr := httpsink.NewTransport(); tr.Proxy == nil || !tr.ForceAttemptHTTP2 || tr.TLSHandshakeTimeout == 0 || tr.ResponseHeaderTimeout == 0 || tr.MaxIdleConnsPerHost < 100 {
		t.Errorf("transport: %+v", tr)
	}
}

// Real messages, if there are any, go out byte for byte.
func TestRealMessages(t *testing.T) {
	name := os.Getenv("TWEETSTREAM_SAMPLES")
	if name == "" {
		t.Skip("TWEETSTREAM_SAMPLES names no file")
	}
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		rec := receive(t, nil)
		s := rec.sink(t)
		var ts []*tweetstream.Tweet
		var want []string
		for line := range strings.Lines(string(data)) {
			want = append(want, strings.TrimRight(line, "\r\n"))
			ts = append(ts, parse(line))
			if err := s.Deliver(t.Context(), ts[len(ts)-1:]); err != nil {
				t.Error(err)
			}
		}
		if err := s.Deliver(t.Context(), ts); err != nil {
			t.Error(err)
		}
		var got []string
		for _, r := range rec.got() {
			got = append(got, r.body)
		}
		want = append(want, strings.Join(want, "\n")+"\n")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}
