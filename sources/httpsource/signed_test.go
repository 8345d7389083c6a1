package httpsource_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/internal/webhook"
	"github.com/tweetstream-go/tweetstream/sources/httpsource"
)

const (
	secret    = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	oldSecret = "whsec_b3RoZXJvdGhlcm90aGVyb3RoZXJvdGhlcm90aGVy"
	consumer  = "z3ZX4v7mAAUGykl3EcmkqbartmuW8VFOOzCloLx9Q45P0hLrFu"
)

// sign signs a request as it is sent.
func sign(secret, id, body string) func(*http.Request) {
	return func(r *http.Request) {
		k, err := webhook.Parse(secret)
		if err != nil {
			panic(err)
		}
		k.Sign(r.Header, id, time.Now(), []byte(body))
	}
}

func signX(body string) func(*http.Request) {
	return func(r *http.Request) {
		h := hmac.New(sha256.New, []byte(consumer))
		_, _ = io.WriteString(h, body)
		r.Header.Set("x-twitter-webhooks-signature", "sha256="+base64.StdEncoding.EncodeToString(h.Sum(nil)))
	}
}

// renamed turns the signature by the consumer secret into one by a client secret
// of OAuth 2.0.
func renamed(r *http.Request) {
	r.Header.Set("X-Twitter-Webhooks-Signature-OAuth2", r.Header.Get("x-twitter-webhooks-signature"))
	r.Header.Del("x-twitter-webhooks-signature")
}

func zipped(body string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = io.WriteString(z, body)
	_ = z.Close()
	return b.String()
}

func encoding(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }

func TestSignedRequests(t *testing.T) {
	x := httpsource.XWebhook(consumer + "\n")
	two := httpsource.Secret(oldSecret, secret)
	for name, c := range map[string]struct {
		opts    []httpsource.Option
		changes []func(*http.Request)
		status  int
	}{
		"signed":                   {[]httpsource.Option{two}, []func(*http.Request){sign(secret, "1", message(1))}, 204},
		"with the old secret":      {[]httpsource.Option{two}, []func(*http.Request){sign(oldSecret, "1", message(1))}, 204},
		"with both":                {[]httpsource.Option{httpsource.Secret(secret)}, []func(*http.Request){sign(oldSecret+" "+secret, "1", message(1))}, 204},
		"with another":             {[]httpsource.Option{httpsource.Secret(secret)}, []func(*http.Request){sign(oldSecret, "1", message(1))}, 401},
		"another body":             {[]httpsource.Option{two}, []func(*http.Request){sign(secret, "1", message(2))}, 401},
		"not signed":               {[]httpsource.Option{two}, nil, 401},
		"by X, who may not":        {[]httpsource.Option{two}, []func(*http.Request){signX(message(1))}, 401},
		"by X":                     {[]httpsource.Option{x}, []func(*http.Request){signX(message(1))}, 200},
		"by X or others":           {[]httpsource.Option{x, two}, []func(*http.Request){signX(message(1))}, 200},
		"by others or X":           {[]httpsource.Option{x, two}, []func(*http.Request){sign(secret, "1", message(1))}, 204},
		"by X, OAuth 2.0":          {[]httpsource.Option{x}, []func(*http.Request){signX(message(1)), renamed}, 200},
		"by X, OAuth 2.0, others":  {[]httpsource.Option{x, two}, []func(*http.Request){signX(message(1)), renamed}, 200},
		"by X, OAuth 2.0, another": {[]httpsource.Option{x}, []func(*http.Request){signX(message(2)), renamed}, 401},
		"by X, another body":       {[]httpsource.Option{x}, []func(*http.Request){signX(message(2))}, 401},
		"by nobody":                {[]httpsource.Option{x}, nil, 401},
		"X's header empty":         {[]httpsource.Option{x, two}, []func(*http.Request){sign(secret, "1", message(1)), func(r *http.Request) { r.Header.Set("x-twitter-webhooks-signature", "") }}, 401},
		"by others, who may not":   {[]httpsource.Option{x}, []func(*http.Request){sign(secret, "1", message(1))}, 401},
		"signed, not authorized":   {[]httpsource.Option{two, httpsource.Authorize(func(*http.Request) error { return http.ErrNoCookie })}, []func(*http.Request){sign(secret, "1", message(1))}, 401},
		"signed, for another Host": {[]httpsource.Option{two}, []func(*http.Request){sign(secret, "1", message(1)), func(r *http.Request) { r.Host = "evil.example" }}, 421},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := start(t, c.opts...)
				r.signed = true
				a := r.send(c.status, one, message(1), c.changes...)
				r.stop()
				if stored := len(r.ids()); (stored == 1) != (c.status < 300) {
					t.Errorf("%d stored", stored)
				}
				if said := fmt.Sprint(a, r.Stats()); strings.Contains(said, consumer) || strings.Contains(said, "whsec") {
					t.Errorf("a secret is shown: %s", said)
				}
			})
		})
	}
}

// send posts, and sees to the status.
func (r *receiver) send(want int, kind, body string, changes ...func(*http.Request)) answer {
	r.t.Helper()
	a := r.post(kind, body, changes...)
	if a.status != want {
		r.t.Errorf("answered %d %s, want %d", a.status, a.text, want)
	}
	return a
}

// The time of a request may be five minutes off, and no more.
func TestTheClockWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, httpsource.Secret(secret))
		r.signed = true
		k, _ := webhook.Parse(secret)
		for i, c := range []struct {
			off  time.Duration
			want int
		}{{-301 * time.Second, 401}, {-300 * time.Second, 204}, {0, 204}, {300 * time.Second, 204}, {301 * time.Second, 401}} {
			r.send(c.want, one, message(i), func(req *http.Request) {
				k.Sign(req.Header, "1", time.Now().Add(c.off), []byte(message(i)))
			})
		}
		// One from the end of the window is known until it is too old.
		ahead := http.Header{}
		k.Sign(ahead, "1", time.Now().Add(300*time.Second), []byte(message(3)))
		again := func(req *http.Request) { maps.Copy(req.Header, ahead) }
		time.Sleep(10 * time.Minute)
		r.send(204, one, message(3), again)
		time.Sleep(time.Second)
		r.send(401, one, message(3), again)
		r.stop()
		if got, st := r.ids(), r.Stats(); len(got) != 3 || st.Refused["signature"] != 3 || st.Replayed != 1 {
			t.Errorf("stored %v; Stats: %+v", got, st)
		}
	})
}

// A request that was taken is not taken again, by this run or the next; one that
// was refused is, and so is one with the same id and another body.
func TestReplays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := []httpsource.Option{httpsource.Secret(secret), httpsource.XWebhook(consumer)}
		r := start(t, opts...)
		r.signed = true
		signed := sign(secret, "1", message(1))
		header := http.Header{}
		signed(&http.Request{Header: header})
		replay := func(req *http.Request) {
			for name, values := range header {
				req.Header[name] = values
			}
		}
		r.full <- struct{}{}
		r.send(503, one, message(1), replay)
		<-r.full
		r.send(204, one, message(1), replay)
		r.send(204, one, message(1), replay)
		r.send(200, one, message(2), signX(message(2)))
		r.send(200, one, message(2), signX(message(2)))
		r.send(204, one, message(3), sign(secret, "1", message(3)))
		time.Sleep(20 * time.Second)
		r.stop()
		if got := r.ids(); !slices.Equal(got, []string{"1", "2", "3"}) || r.Stats().Replayed != 2 {
			t.Errorf("stored %v; Stats: %+v", got, r.Stats())
		}
		if len(r.states) == 0 || len(r.states) > 2 {
			t.Fatalf("%d states", len(r.states))
		}

		next := func(from []byte) *receiver {
			src, err := httpsource.New(opts...)
			if err != nil {
				t.Fatal(err)
			}
			n := &receiver{Source: src, t: t, full: make(chan struct{}, 1), signed: true, from: from}
			n.Listener, n.client = serve(t, src)
			n.stream()
			return n
		}
		n := next(r.states[len(r.states)-1])
		n.send(204, one, message(1), replay)
		n.send(200, one, message(2), signX(message(2)))
		n.send(204, one, message(4), sign(secret, "4", message(4)))
		n.stop()
		if got := n.ids(); !slices.Equal(got, []string{"4"}) || n.Stats().Replayed != 2 {
			t.Errorf("after the restart: stored %v; Stats: %+v", got, n.Stats())
		}
		for _, damaged := range [][]byte{{}, {9, 9, 9}, {1, 2, 3}, r.states[0][:5]} {
			n := next(damaged)
			n.send(200, one, message(2), signX(message(2)))
			n.stop()
		}
	})
}

// A state that could not be stored is stored later.
func TestTheStateIsStoredAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, err := httpsource.New(httpsource.XWebhook(consumer))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		states := 0
		go func() {
			ended <- src.Stream(ctx, nil, func(_ context.Context, _ []*tweetstream.Tweet, state []byte) error {
				if state == nil {
					return nil
				}
				if states++; states < 3 {
					return errors.New("the disk is full")
				}
				return nil
			})
		}()
		synctest.Wait()
		req := httptest.NewRequest(http.MethodPost, "http://localhost/", strings.NewReader(message(1)))
		req.Header.Set("Content-Type", one)
		signX(message(1))(req)
		src.ServeHTTP(httptest.NewRecorder(), req)
		time.Sleep(time.Minute)
		cancel()
		if err := <-ended; err != nil || states != 3 {
			t.Errorf("Stream() = %v; stored %d times, want 3", err, states)
		}
	})
}

// The state has a limit, and the newest requests are in it.
func TestTheStateIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, httpsource.XWebhook(consumer))
		r.signed = true
		for i := range 17_000 {
			req, err := http.NewRequest(http.MethodPost, "http://localhost/", strings.NewReader(message(i)))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", one)
			signX(message(i))(req)
			w := &discard{header: http.Header{}}
			if r.ServeHTTP(w, req); w.status != 200 {
				t.Fatal(w.status)
			}
		}
		time.Sleep(2 * time.Second)
		r.stop()
		last := r.states[len(r.states)-1]
		if len(last) != 1+8*16<<10 {
			t.Errorf("a state of %d bytes", len(last))
		}
		n := &receiver{Source: r.Source, Listener: r.Listener, client: r.client, t: t, full: make(chan struct{}, 1), signed: true, from: last}
		n.stream()
		n.send(200, one, message(16_999), signX(message(16_999)))
		n.send(200, one, message(17_000-16<<10), signX(message(17_000-16<<10)))
		n.send(200, one, message(17_000-16<<10-1), signX(message(17_000-16<<10-1)))
		n.stop()
		if got := n.ids(); len(got) != 1 {
			t.Errorf("stored: %v", got)
		}
	})
}

type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }

// X's challenges are answered whether or not anything is taken, and nothing is
// signed that could be a message.
func TestChallenges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, err := httpsource.New(httpsource.XWebhook(consumer), httpsource.Hosts("hooks.example.com"), httpsource.Authorize(func(*http.Request) error { return http.ErrNoCookie }))
		if err != nil {
			t.Fatal(err)
		}
		_, client := serve(t, src)
		get := func(url string) (int, string) {
			resp, err := client.Get(url)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, _ := io.ReadAll(resp.Body)
			return resp.StatusCode, strings.TrimSpace(string(body))
		}
		want := `{"response_token":"sha256=Cytd4Sq+NvEcV3MMrXxWJGJx5A+y/lXzzU2Maartkx8="}`
		if status, body := get("http://hooks.example.com/x?crc_token=9b4507b3-9040-4669-9ca3-6b94edb50553&nonce=17"); status != 200 || body != want {
			t.Errorf("answered %d %s", status, body)
		}
		for url, want := range map[string]int{
			"http://hooks.example.com/x":                                                   400,
			"http://hooks.example.com/x?crc_token=":                                        400,
			"http://hooks.example.com/x?crc_token=%7B%22data%22:%7B%22id%22:%221%22%7D%7D": 400,
			"http://evil.example/x?crc_token=foo":                                          421,
		} {
			if status, body := get(url); status != want || strings.Contains(body, "sha256") {
				t.Errorf("%s: answered %d %s, want %d", url, status, body, want)
			}
		}
		if st := src.Stats(); st.Challenges != 1 || st.Requests != 5 || st.Refused["challenge"] != 3 {
			t.Errorf("Stats: %+v", st)
		}
	})
}

// The Post of X's quickstart for webhooks of the filtered stream, its secret, and the
// signature that openssl makes of both.
func TestXsExample(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const body = `{"data":{"id":"1346889436626259968","text":"Learn how to use the user Post timeline and user mention timeline endpoints in the X API v2 to explore Post… https://t.co/56a0vZUx7i","created_at":"2021-01-06T18:40:40.000Z","author_id":"2244994945"},"matching_rules":[{"id":"120897978112909812","tag":"api-posts"}]}`
		r := start(t, httpsource.XWebhook("your_consumer_secret_here"))
		r.signed = true
		r.send(200, one, body, func(r *http.Request) {
			r.Header.Set("x-twitter-webhooks-signature", "sha256=WwO+9/al4YKFYaP/B/XxdPNSl9wI5ODY/FDlkLU9sMw=")
		})
		r.stop()
		if got := r.got(); len(got) != 1 || got[0].ID != "1346889436626259968" || string(got[0].Raw) != body || got[0].Rules[0].Tag != "api-posts" {
			t.Errorf("stored: %v", got)
		}
	})
}

// X has its answer within 8 s, and not 200 unless the log has the Post.
func TestXIsAnsweredInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, httpsource.XWebhook(consumer))
		r.signed = true
		r.full <- struct{}{}
		begin := time.Now()
		r.send(503, one, message(1), signX(message(1)))
		<-r.full
		slow := newSlow(message(1), time.Second)
		a, took := r.raw(io.MultiReader(strings.NewReader(head(one, "X-Twitter-Webhooks-Signature: sha256=", fmt.Sprintf("Content-Length: %d", len(slow.data)))), slow))
		if a.status != 408 || took > 4*time.Second || time.Since(begin) > 9*time.Second {
			t.Errorf("answered %d after %v", a.status, took)
		}
		r.send(200, one, message(1), signX(message(1)))
		r.stop()
	})
}

// Compressed bodies: the limits are those of what they unpack to.
func TestGzip(t *testing.T) {
	two := message(1) + "\n" + message(2) + "\n"
	bomb := zipped(message(1) + strings.Repeat(" ", 50<<20))
	if len(bomb) > 64<<10 {
		t.Fatalf("a bomb of %d bytes", len(bomb))
	}
	damaged := []byte(zipped(two))
	damaged[len(damaged)-6] ^= 1
	for name, c := range map[string]struct {
		body   string
		status int
		stored int
	}{
		"a batch":         {zipped(two), 204, 2},
		"in two parts":    {zipped(message(1)+"\n") + zipped(message(2)), 204, 2},
		"a bomb":          {bomb, 413, 0},
		"many parts":      {strings.Repeat(zipped(""), 100_000), 400, 0},
		"not compressed":  {two, 415, 0},
		"damaged":         {string(damaged), 415, 0},
		"cut off":         {zipped(two)[:40], 408, 0},
		"with a tail":     {zipped(two) + "tail", 408, 0},
		"nothing":         {"", 400, 0},
		"bombs in a bomb": {zipped(bomb), 400, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := start(t, httpsource.Secret(secret), httpsource.MaxMessage(1<<20), httpsource.MaxBatch(4<<20))
				r.signed = true
				plain := two
				if c.status == 400 && c.body == "" {
					plain = ""
				}
				signed := sign(secret, "1", plain)
				if strings.HasPrefix(name, "in two") {
					signed = sign(secret, "1", message(1)+"\n"+message(2))
				}
				if name == "many parts" {
					signed = sign(secret, "1", "")
				}
				if name == "bombs in a bomb" {
					signed = sign(secret, "1", bomb)
				}
				r.send(c.status, batch, c.body, signed, encoding)
				r.stop()
				if got := r.ids(); len(got) != c.stored {
					t.Errorf("stored: %v", got)
				}
			})
		})
	}
}

func TestGzipTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t)
		r.send(415, one, zipped(message(1)), func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip, gzip") })
		r.send(415, one, zipped(message(1)), func(r *http.Request) { r.Header["Content-Encoding"] = []string{"gzip", "gzip"} })
		r.send(204, one, zipped(message(1)), func(r *http.Request) { r.Header.Set("Content-Encoding", "identity, GZIP") })
		r.stop()
	})
}

func TestMaxRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, httpsource.MaxRate(5))
		for _, wait := range []time.Duration{time.Second, time.Minute, time.Second} {
			for i := range 8 {
				want := 204
				if i >= 5 {
					want = 429
				}
				r.send(want, one, message(i))
			}
			time.Sleep(wait)
		}
		r.send(204, one, message(1))
		time.Sleep(200 * time.Millisecond)
		r.stop()
		if st := r.Stats(); st.Refused["rate"] != 9 || st.Posts != 16 {
			t.Errorf("Stats: %+v", st)
		}
	})
}

// Who can't sign does not take the places of those who can.
func TestMaxRateAndSignatures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, httpsource.MaxRate(5), httpsource.Secret(secret))
		r.signed = true
		for i := range 50 {
			r.send(401, one, message(i), sign(oldSecret, "1", message(i)))
		}
		for i := range 5 {
			r.send(204, one, message(i), sign(secret, "1", message(i)))
		}
		r.send(429, one, message(5), sign(secret, "1", message(5)))
		r.stop()
	})
}

// A Streamer that is killed and started again has a checkpoint, and no journal:
// what was taken before is still not taken twice.
func TestReplaysAfterARestart(t *testing.T) {
	path := t.TempDir() + "/checkpoint"
	synctest.Test(t, func(t *testing.T) {
		var stored []string
		for range 2 {
			src, err := httpsource.New(httpsource.XWebhook(consumer))
			if err != nil {
				t.Fatal(err)
			}
			_, client := serve(t, src)
			var got recorder
			_, stop := run(t, src, tweetstream.WithSink("recorder", &got), tweetstream.WithCheckpoint(path))
			synctest.Wait()
			req, err := http.NewRequest(http.MethodPost, "http://localhost/", strings.NewReader(message(1)))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", one)
			signX(message(1))(req)
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != http.StatusOK {
				t.Errorf("answered %s", resp.Status)
			}
			_ = resp.Body.Close()
			time.Sleep(5 * time.Second)
			stop()
			stored = append(stored, got.ids()...)
		}
		if !slices.Equal(stored, []string{"1"}) {
			t.Errorf("stored: %v", stored)
		}
	})
}
