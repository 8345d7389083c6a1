package httpsource_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tweetstream-go/tweetstream/internal/memnet"
	"github.com/tweetstream-go/tweetstream/sources/httpsource"
)

// Requests that mean one thing to a proxy in front and another to a server behind.
// Each of them is refused, or is one request for both; what stands in a body is
// none.
func TestAmbiguousRequests(t *testing.T) {
	msg, hidden := message(1), head(one, fmt.Sprintf("Content-Length: %d", len(message(2))))+message(2)
	chunked := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(msg), msg)
	length := fmt.Sprintf("Content-Length: %d\r\n", len(msg))
	const chunks = "Transfer-Encoding: chunked\r\n"
	open := func(lines string) string {
		return "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" + lines + "\r\n"
	}
	for name, c := range map[string]struct {
		request string
		status  int
		stored  []string
	}{
		"a length that is too short":  {open("Content-Length: 1\r\nConnection: close\r\n") + msg + hidden, 400, nil},
		"a length and another":        {open(length+"Content-Length: 1\r\n") + msg + hidden, 400, nil},
		"a length twice in one":       {open(fmt.Sprintf("Content-Length: %d, 1\r\n", len(msg))) + msg + hidden, 400, nil},
		"a negative length":           {open("Content-Length: -1\r\n") + msg + hidden, 400, nil},
		"a length with a sign":        {open(fmt.Sprintf("Content-Length: +%d\r\n", len(msg))) + msg + hidden, 400, nil},
		"a length past all numbers":   {open("Content-Length: 99999999999999999999\r\n") + msg + hidden, 400, nil},
		"a length and chunks":         {open(fmt.Sprintf("Content-Length: %d\r\n", len(chunked)+len(hidden))+chunks+"Connection: close\r\n") + chunked + hidden, 204, []string{"1"}},
		"chunks twice":                {open(chunks+chunks) + chunked + hidden, 501, nil},
		"chunks of another kind":      {open("Transfer-Encoding: gzip, chunked\r\n") + chunked + hidden, 501, nil},
		"chunks with a space":         {open("Transfer-Encoding : chunked\r\n"+length) + chunked + hidden, 400, nil},
		"chunks with a tab":           {open("Transfer-Encoding:\tchunked\r\nConnection: close\r\n") + chunked + hidden, 204, []string{"1"}},
		"chunks in a folded line":     {open("X: y\r\n "+chunks+length+"Connection: close\r\n") + msg + hidden, 204, []string{"1"}},
		"chunks in another way":       {open("Transfer-Encoding: xchunked\r\n") + chunked + hidden, 501, nil},
		"a chunk size with a sign":    {open(chunks+"Connection: close\r\n") + "+" + chunked + hidden, 408, nil},
		"a chunk size past all":       {open(chunks+"Connection: close\r\n") + "fffffffffffffffff\r\n" + chunked + hidden, 408, nil},
		"a chunk that is too long":    {open(chunks+"Connection: close\r\n") + fmt.Sprintf("%x\r\n%s00\r\n0\r\n\r\n", len(msg), msg) + hidden, 408, nil},
		"endless chunk extensions":    {open(chunks+"Connection: close\r\n") + "1;" + strings.Repeat("x", 10_000) + "\r\n", 408, nil},
		"two Hosts":                   {strings.Replace(open(length), "Host: localhost", "Host: localhost\r\nHost: evil.example", 1) + msg, 400, nil},
		"no Host":                     {strings.Replace(open(length), "Host: localhost\r\n", "", 1) + msg, 400, nil},
		"an empty Host":               {strings.Replace(open(length+"Connection: close\r\n"), "Host: localhost", "Host:", 1) + msg, 421, nil},
		"no Host, HTTP/1.0":           {"POST / HTTP/1.0\r\nContent-Type: application/json\r\n" + length + "\r\n" + msg, 421, nil},
		"a Host in the URL":           {strings.Replace(open(length+"Connection: close\r\n"), "POST /", "POST http://evil.example/", 1) + msg, 421, nil},
		"a Host with a user":          {strings.Replace(open(length+"Connection: close\r\n"), "Host: localhost", "Host: localhost@evil.example", 1) + msg, 400, nil},
		"a Host with two ports":       {strings.Replace(open(length+"Connection: close\r\n"), "Host: localhost", "Host: localhost:80:80", 1) + msg, 421, nil},
		"a Host with a path":          {strings.Replace(open(length+"Connection: close\r\n"), "Host: localhost", "Host: localhost/x", 1) + msg, 400, nil},
		"X-Forwarded-Host":            {strings.Replace(open(length+"Connection: close\r\n"), "Host: localhost", "Host: evil.example\r\nX-Forwarded-Host: localhost", 1) + msg, 421, nil},
		"X-HTTP-Method-Override":      {strings.Replace(open(length+"Connection: close\r\nX-HTTP-Method-Override: POST\r\n"), "POST", "PUT", 1) + msg, 405, nil},
		"a header without an end":     {open(length+"X: "+strings.Repeat("x", 2<<20)+"\r\n") + msg, 431, nil},
		"headers without an end":      {open(length+strings.Repeat("X: y\r\n", 200_000)) + msg, 431, nil},
		"a line feed without a break": {open(length+"X: y\nContent-Type: text/plain\r\nConnection: close\r\n") + msg, 415, nil},
		"a NUL in a header":           {open(length+"X: \x00\r\n") + msg, 400, nil},
		"HTTP/1.2":                    {strings.Replace(open(length+"Connection: close\r\n"), "HTTP/1.1", "HTTP/1.2", 1) + msg, 204, []string{"1"}},
		"HTTP/3":                      {strings.Replace(open(length), "HTTP/1.1", "HTTP/3.0", 1) + msg, 505, nil},
		"the preface of HTTP/2":       {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 421, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := start(t)
				status := r.status(c.request)
				r.stop()
				if got := r.ids(); status != c.status || !slices.Equal(got, c.stored) {
					t.Errorf("answered %d, want %d; stored: %v, want %v", status, c.status, got, c.stored)
				}
			})
		})
	}
}

// status writes a request as it is, and returns the status of the only answer.
func (r *receiver) status(request string) int {
	r.t.Helper()
	conn, err := r.Dial(r.t.Context(), "", "")
	if err != nil {
		r.t.Fatal(err)
	}
	var writing sync.WaitGroup
	writing.Go(func() { _, _ = io.WriteString(conn, request) })
	data, err := io.ReadAll(conn)
	if err != nil && !errors.Is(err, io.ErrClosedPipe) {
		r.t.Errorf("read: %v", err)
	}
	_ = conn.Close()
	writing.Wait()
	if n := bytes.Count(data, []byte("HTTP/1.")); n != 1 {
		r.t.Errorf("%d answers: %q", n, data)
		return 0
	}
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(data)), nil)
	if err != nil {
		r.t.Errorf("answer %q: %v", data, err)
		return 0
	}
	return resp.StatusCode
}

// What comes behind the body counts for nothing.
func TestTrailers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, httpsource.Secret(secret))
		r.signed = true
		req, err := http.NewRequest(http.MethodPost, "http://localhost/", nil)
		if err != nil {
			t.Fatal(err)
		}
		sign(secret, "1", message(1))(req)
		var trailer strings.Builder
		_ = req.Header.Write(&trailer)
		body := fmt.Sprintf("%x\r\n%s\r\n0\r\n%s\r\n", len(message(1)), message(1), trailer.String())
		const names = "Trailer: webhook-id, webhook-timestamp, webhook-signature"
		if status := r.status(head(one, "Transfer-Encoding: chunked", names) + body); status != 401 {
			t.Errorf("a signature in the trailer: answered %d", status)
		}
		r.stop()

		r = start(t)
		endless := fmt.Sprintf("%x\r\n%s\r\n0\r\n%s\r\n", len(message(1)), message(1), strings.Repeat("X: y\r\n", 100_000))
		if status := r.status(head(one, "Transfer-Encoding: chunked") + endless); status != 408 {
			t.Errorf("a trailer without an end: answered %d", status)
		}
		r.stop()
		if got := r.ids(); len(got) > 0 {
			t.Errorf("stored: %v", got)
		}
	})
}

// A body is asked for only when the rest is good.
func TestExpect(t *testing.T) {
	for name, c := range map[string]struct {
		expect, kind string
		want         []int
	}{
		"good":     {"100-continue", one, []int{100, 204}},
		"bad":      {"100-continue", "text/plain", []int{415}},
		"nonsense": {"200-ok", one, []int{417}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := start(t)
				conn, err := r.Dial(t.Context(), "", "")
				if err != nil {
					t.Fatal(err)
				}
				answers := bufio.NewReader(conn)
				_, _ = io.WriteString(conn, head(c.kind, fmt.Sprintf("Content-Length: %d", len(message(1))), "Expect: "+c.expect))
				for i, want := range c.want {
					resp, err := http.ReadResponse(answers, nil)
					if err != nil || resp.StatusCode != want {
						t.Fatalf("answer %d: %v, %v, want %d", i, resp, err, want)
					}
					if want == http.StatusContinue {
						_, _ = io.WriteString(conn, message(1))
					}
				}
				_ = conn.Close()
				r.stop()
			})
		})
	}
}

// A thousand signatures, and a thousand headers of them.
func TestManySignatures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, httpsource.Secret(secret))
		r.signed = true
		many := func(change func(h http.Header, right string)) func(*http.Request) {
			return func(req *http.Request) {
				sign(secret, "1", message(1))(req)
				change(req.Header, req.Header.Get("webhook-signature"))
			}
		}
		const wrong = "v1,AAAA"
		for _, change := range []func(http.Header, string){
			func(h http.Header, right string) { h.Set("webhook-signature", strings.Repeat(wrong+" ", 1_000)+right) },
			func(h http.Header, right string) {
				h.Set("webhook-signature", wrong)
				for range 1_000 {
					h.Add("webhook-signature", right)
				}
			},
			func(h http.Header, right string) { h.Set("webhook-timestamp", "9223372036854775807") },
			func(h http.Header, right string) { h.Set("webhook-timestamp", "-9223372036854775808") },
			func(h http.Header, right string) { h.Set("webhook-id", strings.Repeat("1", 100_000)) },
		} {
			r.send(401, one, message(1), many(change))
		}
		r.send(204, one, message(1), many(func(h http.Header, right string) {
			h.Set("webhook-signature", strings.Repeat(wrong+" ", 15)+right)
		}))
		r.stop()
	})
}

// JSON that is made to be hard to read.
func TestDeepMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t)
		nested := func(n int) string {
			return `{"data":{"id":"1","x":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}}`
		}
		keys := `{"data":{"id":"1"` + strings.Repeat(`,"k":1`, 500_000) + `}}`
		for body, want := range map[string]int{
			nested(9_000):                    204,
			nested(100_000):                  400,
			strings.Repeat("[", 1_000_000):   400,
			strings.Repeat(`{"a":`, 500_000): 400,
			`{"data":` + strings.Repeat(" ", 1_000_000) + `{"id":"1"}}`: 204,
			keys: 204,
			`{"data":{"id":"` + strings.Repeat("1", 1_000_000) + `"}}`: 400,
		} {
			if a := r.post(one, body); a.status != want {
				t.Errorf("%.40q: answered %d %s, want %d", body, a.status, a.text, want)
			}
		}
		r.stop()
		for _, tw := range r.got() {
			_, _ = tw.Content()
		}
	})
}

// serveHTTP2 serves h in memory, without TLS, and returns a client that has one
// connection.
func serveHTTP2(t *testing.T, h http.Handler) *http.Client {
	l := memnet.Listen()
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Handler: h, Protocols: protocols}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(l) })
	transport := &http.Transport{DialContext: l.Dial, Protocols: protocols}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = server.Close()
		serving.Wait()
	})
	return &http.Client{Transport: transport}
}

// Over HTTP/2 one connection can bring as many requests as it likes, and take them
// back: those that hold a place lose it when their time is over, and those that
// are gone leave it at once.
func TestAFloodOverHTTP2(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const places = 20
		r := start(t, httpsource.MaxRequests(places))
		client := serveHTTP2(t, r)
		post := func(ctx context.Context, body io.Reader) (status int) {
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://localhost/", body)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", one)
			resp, err := client.Do(req)
			if err != nil {
				return 0
			}
			defer resp.Body.Close()
			_, _ = io.Copy(io.Discard, resp.Body)
			return resp.StatusCode
		}
		flood := func(ctx context.Context, n int, body func() io.Reader) map[int]int {
			var mu sync.Mutex
			var requests sync.WaitGroup
			answers := map[int]int{}
			for range n {
				requests.Go(func() {
					status := post(ctx, body())
					mu.Lock()
					defer mu.Unlock()
					answers[status]++
				})
			}
			requests.Wait()
			return answers
		}
		begin := time.Now()
		if got := flood(t.Context(), 200, func() io.Reader { return newSlow(message(1), time.Second) }); got[408] < places || got[408]+got[503] != 200 || time.Since(begin) > 2*time.Minute {
			t.Errorf("slow bodies were answered %v after %v", got, time.Since(begin))
		}
		for range 20 {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			flood(ctx, 200, func() io.Reader { return untilDone{ctx} })
			cancel()
		}
		synctest.Wait()
		if status := post(t.Context(), strings.NewReader(message(2))); status != 204 {
			t.Errorf("when all are gone: answered %d", status)
		}
		r.stop()
		if st := r.Stats(); st.Refused["body"] < 2*places {
			t.Errorf("Stats: %+v", st)
		}
		if got := r.ids(); !slices.Equal(got, []string{"2"}) {
			t.Errorf("stored: %v", got)
		}
		time.Sleep(2 * time.Minute) // the slow bodies end
	})
}

// untilDone is a body of which nothing comes.
type untilDone struct{ context.Context }

func (u untilDone) Read([]byte) (int, error) {
	<-u.Done()
	return 0, u.Err()
}
