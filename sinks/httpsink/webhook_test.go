package httpsink_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/internal/webhook"
	"github.com/tweetstream-go/tweetstream/sinks/httpsink"
)

const (
	secret    = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	oldSecret = "whsec_b3RoZXJvdGhlcm90aGVyb3RoZXJvdGhlcm90aGVy"
)

// Each try has the id of the one before and the time of its own, and both secrets
// verify it.
func TestEachTryIsSigned(t *testing.T) {
	for name, opts := range map[string][]httpsink.Option{"plain": nil, "gzip": {httpsink.Gzip()}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rec := receive(t, func(w http.ResponseWriter, r *http.Request, n int) {
					if n%3 != 2 {
						w.Header().Set("Retry-After", "60")
						w.WriteHeader(http.StatusServiceUnavailable)
					}
				})
				begin := time.Now()
				s := rec.sink(t, append(opts, httpsink.Secret(oldSecret+"\n"+secret))...)
				run(t, s, posts(1, 1))
				run(t, s, posts(2, 40), tweetstream.Batch(100, 0))
				got := rec.got()
				if len(got) != 6 {
					t.Fatalf("%d requests", len(got))
				}
				for i, r := range got {
					body := []byte(r.body)
					if r.header.Get("Content-Encoding") == "gzip" {
						z, err := gzip.NewReader(bytes.NewReader(body))
						if err != nil {
							t.Fatal(err)
						}
						body, _ = io.ReadAll(z)
					} else if i >= 3 && name == "gzip" {
						t.Error("a batch is not compressed")
					}
					at := begin.Add(time.Duration(i%3+i/3*2) * time.Minute)
					if ts := r.header.Get(webhook.Timestamp); ts != fmt.Sprint(at.Unix()) {
						t.Errorf("request %d: timestamp %s, want %d", i, ts, at.Unix())
					}
					for _, one := range []string{secret, oldSecret} {
						k, err := webhook.Parse(one)
						if err != nil {
							t.Fatal(err)
						}
						if _, err := k.Verify(r.header, at, body); err != nil {
							t.Errorf("request %d: %v", i, err)
						}
					}
					first := got[i/3*3].header
					for _, key := range []string{webhook.ID, "Idempotency-Key"} {
						if id := r.header.Get(key); id == "" || id != first.Get(key) || id != r.header.Get(webhook.ID) {
							t.Errorf("request %d: %s %q", i, key, id)
						}
					}
				}
			})
		})
	}
}

// A key stands for the Posts that are sent, and for nothing else.
func TestIdempotencyKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := receive(t, nil)
		s := rec.sink(t)
		odd := &tweetstream.Tweet{ID: "a.b\r\n", Raw: []byte(`{"data":{}}`)}
		long := &tweetstream.Tweet{ID: strings.Repeat("1", 65), Raw: []byte(`{"data":{}}`)}
		broken := &tweetstream.Tweet{ID: "9"}
		for _, batch := range [][]*tweetstream.Tweet{
			posts(17, 17), posts(1, 3), posts(1, 3), append(posts(1, 3), broken),
			posts(1, 4), posts(2, 4), append(posts(1, 1), posts(3, 4)...), {odd}, {long}, append(posts(1, 1), broken),
		} {
			_ = s.Deliver(t.Context(), batch)
		}
		var keys []string
		for _, r := range rec.got() {
			keys = append(keys, r.header.Get("Idempotency-Key"))
		}
		if keys[0] != "17" || keys[1] != keys[2] || keys[1] != keys[3] || keys[9] != "1" {
			t.Errorf("keys: %q", keys)
		}
		slices.Sort(keys)
		if n := len(slices.Compact(keys)); n != 8 {
			t.Errorf("%d keys, want 8: %q", n, keys)
		}
		if strings.ContainsAny(strings.Join(keys, ""), ".\r\n") {
			t.Errorf("keys: %q", keys)
		}
	})
}

// A receiver that takes nothing compressed gets all of it, in the clear.
func TestAReceiverWithoutGzip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := receive(t, func(w http.ResponseWriter, r *http.Request, _ int) {
			if r.Header.Get("Content-Encoding") != "" {
				w.WriteHeader(http.StatusUnsupportedMediaType)
			}
		})
		s := rec.sink(t, httpsink.Gzip())
		if rejected := run(t, s, posts(1, 200), tweetstream.Batch(100, 0)); len(rejected) > 0 || len(rec.got()) != 3 {
			t.Errorf("%d requests; rejected: %v", len(rec.got()), rejected)
		}
	})
}

// A receiver that names the messages which it refuses: they are given up, and the
// others arrive once.
func TestReports(t *testing.T) {
	const atomic, partial = 400, 207
	for name, c := range map[string]struct {
		status   int
		kind     string
		answer   string
		rejected []string
		requests int // 0: many, for the batch is split or comes again
	}{
		"by line, atomic":          {atomic, "application/json", `{"error":"no","messages":[{"line":2,"error":"bad"},{"line":5,"error":"bad"}]}`, []string{"2", "5"}, 2},
		"by index, atomic":         {atomic, "application/json", `{"messages":[{"index":0,"error":"bad"},{"index":7}]}`, []string{"1", "8"}, 2},
		"by id, atomic":            {413, "application/json; charset=utf-8", `{"messages":[{"id":"7"}]}`, []string{"7"}, 2},
		"all, atomic":              {atomic, "application/json", `{"messages":[{"line":1},{"line":2},{"line":3},{"line":4},{"line":5},{"line":6},{"line":7},{"line":8}]}`, []string{"1", "2", "3", "4", "5", "6", "7", "8"}, 1},
		"by line, partial":         {partial, "application/json", `{"messages":[{"line":3,"status":422,"error":"bad"}]}`, []string{"3"}, 1},
		"by id, some later":        {partial, "application/json", `{"messages":[{"id":"3","status":422},{"id":"4","status":503},{"id":"5","status":201}]}`, []string{"3"}, 2},
		"none, partial":            {partial, "application/json", `{"messages":[]}`, nil, 1},
		"partial, unreadable":      {partial, "application/json", `{"messages":[{"line":`, nil, 2},
		"partial, of another kind": {partial, "text/xml", `<multistatus/>`, nil, 2},
		"partial, of none of them": {partial, "application/json", `{"messages":[{"line":9}]}`, nil, 2},
		"atomic, of another index": {atomic, "application/json", `{"messages":[{"index":8}]}`, nil, 0},
		"atomic, of no index":      {atomic, "application/json", `{"messages":[{"index":-1}]}`, nil, 0},
		"atomic, of none of them":  {atomic, "application/json", `{"messages":[{"line":0},{"id":"99"}]}`, nil, 0},
		"atomic, only later":       {atomic, "application/json", `{"messages":[{"line":1,"status":503}]}`, nil, 0},
		"atomic, text":             {atomic, "text/plain", `{"messages":[{"line":1}]}`, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rec := receive(t, func(w http.ResponseWriter, r *http.Request, n int) {
					if n == 0 {
						w.Header().Set("Content-Type", c.kind)
						w.WriteHeader(c.status)
						_, _ = io.WriteString(w, c.answer)
					}
				})
				rejected := run(t, rec.sink(t), posts(1, 8), tweetstream.Batch(8, 0))
				if diff := cmp.Diff(c.rejected, rejected); diff != "" {
					t.Errorf("rejected (-want +got):\n%s", diff)
				}
				got := rec.got()
				if c.requests > 0 && len(got) != c.requests {
					t.Errorf("%d requests, want %d", len(got), c.requests)
				}
				missing := 8 - len(c.rejected)
				for _, r := range got[1:] {
					missing -= max(strings.Count(r.body, "\n"), 1)
				}
				if c.status == atomic && len(c.rejected) < 8 && missing != 0 {
					t.Errorf("%d Posts did not come again, or twice", missing)
				}
			})
		})
	}
}

// 429 without a time: the waits double, all batches share them, and Posts are not
// tried one by one.
func TestThrottling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var at []int
		rec := receive(t, func(w http.ResponseWriter, r *http.Request, n int) {
			at = append(at, int(time.Since(begin)/time.Second))
			if n < 13 && r.Header.Get("Content-Type") != "application/x-ndjson" {
				t.Error("a Post was tried alone")
			}
			if n < 12 {
				w.WriteHeader(http.StatusTooManyRequests)
			}
		})
		run(t, rec.sink(t), posts(1, 100), tweetstream.Batch(100, 0))
		if diff := cmp.Diff([]int{0, 1, 3, 7, 15, 31, 63, 127, 255, 511, 811, 1111, 1411}, at); diff != "" {
			t.Errorf("requests at (-want +got):\n%s", diff)
		}
		if run(t, rec.sink(t), posts(1, 1)); len(at) != 14 {
			t.Errorf("%d requests", len(at))
		}
	})
}

// Calls that are throttled at the same time double the wait once, and a success
// ends that.
func TestThrottlingInParallel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var mu sync.Mutex
		var at []int
		rec := receive(t, func(w http.ResponseWriter, r *http.Request, n int) {
			mu.Lock()
			defer mu.Unlock()
			at = append(at, int(time.Since(begin)/time.Second))
			if n < 12 || n == 16 {
				w.WriteHeader(http.StatusTooManyRequests)
			}
		})
		s := rec.sink(t)
		run(t, s, posts(1, 4), tweetstream.Parallel(4))
		run(t, s, posts(5, 5))
		if diff := cmp.Diff([]int{0, 0, 0, 0, 1, 1, 1, 1, 3, 3, 3, 3, 7, 7, 7, 7, 7, 8}, at); diff != "" {
			t.Errorf("requests at (-want +got):\n%s", diff)
		}
	})
}

// A receiver that refuses every Post is spoken of, after five of them and then
// less and less often.
func TestAReceiverThatRefusesEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		rec := receive(t, func(w http.ResponseWriter, r *http.Request, n int) {
			if n != 10 { // takes one
				w.WriteHeader(http.StatusBadRequest)
			}
		})
		s := rec.sink(t, httpsink.Logger(slog.New(slog.NewTextHandler(&log, nil))))
		if rejected := run(t, s, posts(1, 100)); len(rejected) != 99 {
			t.Errorf("%d rejected", len(rejected))
		}
		var counts []string
		for line := range strings.Lines(log.String()) {
			if !strings.Contains(line, "level=ERROR") || !strings.Contains(line, "the receiver refuses every Post") || !strings.Contains(line, "400 Bad Request") {
				t.Errorf("logged: %s", line)
			}
			_, count, _ := strings.Cut(line, "count=")
			counts = append(counts, strings.Fields(count)[0])
		}
		if diff := cmp.Diff([]string{"5", "5", "50"}, counts); diff != "" {
			t.Errorf("logged at (-want +got):\n%s", diff)
		}
	})
}

func TestLoudAnswers(t *testing.T) {
	for status, want := range map[int]string{401: "credentials", 403: "credentials", 404: "see to the URL", 410: "see to the URL", 302: "not followed"} {
		synctest.Test(t, func(t *testing.T) {
			rec := receive(t, func(w http.ResponseWriter, _ *http.Request, _ int) { w.WriteHeader(status) })
			if err := rec.sink(t).Deliver(t.Context(), posts(1, 1)); kind(err) != "again" || !strings.Contains(err.Error(), want) {
				t.Errorf("%d: Deliver() = %v", status, err)
			}
		})
	}
}

func TestMaxRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var mu sync.Mutex
		var at []time.Duration
		rec := receive(t, func(http.ResponseWriter, *http.Request, int) {
			mu.Lock()
			defer mu.Unlock()
			at = append(at, time.Since(begin))
		})
		run(t, rec.sink(t, httpsink.MaxRate(30, time.Minute)), posts(1, 10), tweetstream.Parallel(4))
		for i, d := range at {
			if want := time.Duration(i) * 2 * time.Second; d != want {
				t.Errorf("request %d after %v, want %v", i, d, want)
			}
		}
		// A turn that is too far away is none of this Deliver's.
		s := rec.sink(t, httpsink.MaxRate(1, time.Hour))
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
		defer cancel()
		for i, want := range []string{"delivered", "later"} {
			before := time.Now()
			if err := s.Deliver(ctx, posts(1, 1)); kind(err) != want || time.Since(before) > 0 {
				t.Errorf("Deliver() %d = %v after %v", i, err, time.Since(before))
			}
		}
	})
}

func TestEncode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := receive(t, nil)
		s := rec.sink(t, httpsink.Secret(secret), httpsink.Encode("text/plain", func(ts []*tweetstream.Tweet) ([]byte, error) {
			switch ts[0].ID {
			case "2":
				return nil, tweetstream.Permanent(errors.New("not this one"))
			case "3":
				return nil, nil
			}
			text := fmt.Sprint(len(ts), " of them")
			clear(ts) // the Streamer's are others
			return []byte(text), nil
		}))
		for i, want := range []string{"delivered", "permanent", "delivered"} {
			ts := posts(i+1, 5)
			if err := s.Deliver(t.Context(), ts); kind(err) != want || ts[0] == nil {
				t.Errorf("Deliver() = %v, want %s", err, want)
			}
		}
		got := rec.got()
		if len(got) != 1 || got[0].body != "5 of them" || got[0].header.Get("Content-Type") != "text/plain" {
			t.Fatalf("sent: %v", got)
		}
		k, _ := webhook.Parse(secret)
		if _, err := k.Verify(got[0].header, time.Now(), []byte("5 of them")); err != nil {
			t.Error(err)
		}
	})
}

func TestArray(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := receive(t, nil)
		s := rec.sink(t, httpsink.Array())
		broken := &tweetstream.Tweet{ID: "9", Raw: []byte("{")}
		if rejected := run(t, s, append(posts(1, 3), broken), tweetstream.Batch(10, 0)); !slices.Equal(rejected, []string{"9"}) {
			t.Errorf("rejected: %v", rejected)
		}
		_ = s.Deliver(t.Context(), posts(1, 1))
		var bodies []string
		for _, r := range rec.got() {
			bodies = append(bodies, r.body)
		}
		p := func(id int) string { return string(posts(id, id)[0].Raw) }
		want := []string{"[" + p(1) + "," + p(2) + "]", "[" + p(3) + "]", "[" + p(1) + "]"}
		if diff := cmp.Diff(want, bodies); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

// Chat services that say 200 to what they did not take, and the like.
func TestClassify(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := receive(t, func(w http.ResponseWriter, _ *http.Request, n int) {
			if n == 1 {
				w.WriteHeader(http.StatusTeapot)
			}
			_, _ = io.WriteString(w, "failed")
		})
		s := rec.sink(t, httpsink.Classify(func(resp *http.Response, answer []byte, err error) error {
			switch {
			case err != nil:
				return tweetstream.Permanent(err)
			case string(answer) == "failed":
				return errors.New("it failed")
			}
			return nil
		}))
		for i, want := range []string{"again", "permanent"} {
			if err := s.Deliver(t.Context(), posts(1, 1)); kind(err) != want {
				t.Errorf("Deliver() %d = %v, want %s", i, err, want)
			}
		}
	})
}

func TestPublicAddresses(t *testing.T) {
	for addr, want := range map[string]bool{
		"1.1.1.1": true, "93.184.215.14": true, "2606:4700::1111": true, "::ffff:1.1.1.1": true, "64:ff9b::101:101": true,
		"127.0.0.1": false, "10.1.2.3": false, "172.31.0.1": false, "192.168.1.1": false, "169.254.169.254": false, "100.100.100.200": false,
		"168.63.129.16": false, "192.0.0.192": false, "0.0.0.0": false, "255.255.255.255": false, "224.0.0.1": false, "240.0.0.1": false,
		"::1": false, "::": false, "fe80::1": false, "fd00:ec2::254": false, "ff02::1": false, "::ffff:127.0.0.1": false, "::ffff:169.254.169.254": false,
		"::7f00:1": false, "64:ff9b::7f00:1": false, "64:ff9b::a9fe:a9fe": false, "64:ff9b:1::1": false, "2002:7f00:1::": false,
		"2001::1": false, "2001:db8::1": false, "fec0::1": false, "2606:4700::1111%eth0": false,
	} {
		if got := httpsink.Public(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: public is %v", addr, got)
		}
	}
}

// Nobody on this machine sees a connection, whatever its address is written as.
func TestPublicOnly(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan struct{})
	go func() {
		if conn, err := l.Accept(); err == nil {
			_ = conn.Close()
			close(accepted)
		}
	}()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	t.Setenv("HTTP_PROXY", "http://"+l.Addr().String()) // nor by way of a proxy
	for _, host := range []string{"127.0.0.1", "localhost", "LOCALHOST.", "a.localhost", "[::1]", "[::ffff:127.0.0.1]", "10.0.0.1", "169.254.169.254", "0.0.0.0"} {
		if s, err := httpsink.New("http://"+host+":"+port, httpsink.PublicOnly()); err == nil || !strings.Contains(err.Error(), "PublicOnly") {
			t.Errorf("New(%s) = %v, %v", host, s, err)
		}
	}
	// Other ways to write them are a resolver's matter, and the dialer sees what
	// it makes of them.
	for _, host := range []string{"0x7f000001", "2130706433", "127.1"} {
		s := sink(t, "http://"+host+":"+port, httpsink.PublicOnly())
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		if err := s.Deliver(ctx, posts(1, 1)); kind(err) != "again" {
			t.Errorf("Deliver() to %s = %v", host, err)
		}
		cancel()
	}
	for _, addr := range []string{l.Addr().String(), "[::ffff:127.0.0.1]:" + port, "localhost:" + port} {
		if conn, err := httpsink.PublicDialer().DialContext(t.Context(), "tcp", addr); err == nil {
			t.Errorf("connected to %s", addr)
			_ = conn.Close()
		}
	}
	_ = l.Close()
	select {
	case <-accepted:
		t.Error("a connection came")
	default:
	}
	if sink(t, "https://example.com", httpsink.PublicOnly()).Proxied() || !sink(t, "https://example.com").Proxied() {
		t.Error("proxies are used with PublicOnly, or never")
	}
	if s, err := httpsink.New("https://example.com", httpsink.PublicOnly(), httpsink.Client(&http.Client{Transport: &http.Transport{}})); err == nil {
		t.Errorf("New() with a Transport = %v", s)
	}
}
