package httpsource_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sources/httpsource"
)

func message(id int) string {
	return fmt.Sprintf(`{"data":{"id":"%d","text":"post number %[1]d"},"matching_rules":[{"id":"7","tag":"test"}]}`, id)
}

func TestOneMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t)
		raw := `{"data":{"id":"17","text":"caf\u00e9  \"é\""},"matching_rules":[{"id":"1","tag":"coop"}]}`
		if a := r.post(one, raw); a.status != http.StatusNoContent {
			t.Fatalf("answered %d", a.status)
		}
		r.stop()
		want := []*tweetstream.Tweet{{ID: "17", Raw: []byte(raw), Rules: []tweetstream.Rule{{ID: "1", Tag: "coop"}}, Received: time.Now()}}
		if diff := cmp.Diff(want, r.got()); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if diff := cmp.Diff(httpsource.Stats{Requests: 1, Posts: 1}, r.Stats()); diff != "" {
			t.Errorf("Stats: -want +got:\n%s", diff)
		}
	})
}

func TestByHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t)
		for body, want := range map[string]string{
			"{\n  \"data\": {\n    \"id\": \"1\",\n    \"text\": \"a  b\"\n  }\n}\n": `{"data":{"id":"1","text":"a  b"}}`,
			` { "data": { "id": "2" } } `:                                            `{ "data": { "id": "2" } }`,
			"{\"data\":{\"id\":\"3\",\"text\":\"\xff\"}}":                            "{\"data\":{\"id\":\"3\",\"text\":\"\ufffd\"}}",
			`{"matching_rules":null,"data":{"id":"4"}}`:                              `{"matching_rules":null,"data":{"id":"4"}}`,
			`{"data":{"text":"\ud83d\udc26","id":"5"}}`:                              `{"data":{"text":"\ud83d\udc26","id":"5"}}`,
			"\r\n{\"data\":\r\n{\"id\":\"6\"}}\r\n\r\n\r\n":                          `{"data":{"id":"6"}}`,
		} {
			if a := r.post(one+"; charset=UTF-8", body); a.status != http.StatusNoContent {
				t.Errorf("%q: %d %s", body, a.status, a.text)
				continue
			}
			got := r.got()
			if raw := string(got[len(got)-1].Raw); raw != want {
				t.Errorf("%q: Raw = %q, want %q", body, raw, want)
			}
		}
		r.stop()
		if st := r.Stats(); st.Posts != 6 || st.Repaired != 1 {
			t.Errorf("Stats: %+v", st)
		}
	})
}

func TestABatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t)
		for _, body := range []string{
			message(1) + "\n" + message(2) + "\n",
			"\n" + message(3) + "\r\n\r\n  \n" + message(4), // no break at the end
		} {
			if a := r.post(batch, body); a.status != http.StatusNoContent {
				t.Errorf("%d %s", a.status, a.text)
			}
		}
		r.stop()
		if diff := cmp.Diff([]string{"1", "2", "3", "4"}, r.ids()); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if got := string(r.got()[3].Raw); got != message(4) {
			t.Errorf("Raw = %s", got)
		}
	})
}

// A batch is stored whole or refused whole, and says which of its lines are bad,
// but nothing of what is in them.
func TestABatchIsRefusedWhole(t *testing.T) {
	const canary = "kanarienvogel"
	synctest.Test(t, func(t *testing.T) {
		r := start(t, httpsource.MaxMessage(1_000))
		long := `{"data":{"id":"9","text":"` + strings.Repeat(canary, 100) + `"}}`
		for body, want := range map[string]struct {
			status int
			lines  []int
		}{
			message(1) + "\n" + canary + "\n" + message(2):               {400, []int{2}},
			message(1) + "\n\n\n" + `{"data":{"text":"` + canary + `"}}`: {400, []int{4}},
			`{"data":{"id":"1","text":` + canary + `}}`:                  {400, []int{1}},
			message(1) + message(2):                                      {400, []int{1}},
			"[" + message(1) + "]":                                       {400, []int{1}},
			`{"data":{"id":"` + canary + ` !"}}` + "\n" + `{"` + canary:  {400, []int{1, 2}},
			message(1) + "\n" + long:                                     {413, []int{2}},
			"":                                                           {400, nil},
			"\n\r\n \n":                                                  {400, nil},
			"null\ntrue\n17\n\"" + canary + "\"\n{}":                     {400, []int{1, 2, 3, 4, 5}},
			strings.Repeat(canary+"\n", 150):                             {400, seq(100, 1)},
			message(1) + "\n" + `{"data":{"id":"2"}}` + "\x00" + "\n" + "\xff" + canary + "\n": {400, []int{2, 3}},
		} {
			a := r.post(batch, body)
			var lines []int
			for n := range 200 {
				if _, ok := a.lines[n]; ok {
					lines = append(lines, n)
				}
			}
			if diff := cmp.Diff(want.lines, lines); diff != "" || a.status != want.status {
				t.Errorf("%.80q: %d, lines -want +got:\n%s", body, a.status, diff)
			}
			if strings.Contains(fmt.Sprint(a), canary) {
				t.Errorf("a message is shown: %v", a)
			}
		}
		r.stop()
		if got := r.ids(); len(got) > 0 {
			t.Errorf("stored: %v", got)
		}
		if st := r.Stats(); st.Refused["message"] != 11 || st.Refused["size"] != 1 || st.Requests != 12 {
			t.Errorf("Stats: %+v", st)
		}
	})
}

// An array is a batch: it is stored whole, or refused with the index of each bad
// message.
func TestAnArray(t *testing.T) {
	const canary = "kanarienvogel"
	synctest.Test(t, func(t *testing.T) {
		r := start(t, httpsource.MaxMessage(1_000))
		long := `{"data":{"id":"9","text":"` + strings.Repeat(canary, 100) + `"}}`
		for body, want := range map[string]struct {
			status int
			bad    []int
		}{
			"[" + message(1) + "]": {204, nil},
			" [\n" + message(2) + "\n,\r\n" + message(3) + " \t] \n": {204, nil},
			"[{\"data\":\n{\"id\":\"4\",\"text\":\"\xff\"}}]":        {204, nil},
			"[]": {400, nil},
			"[" + message(8) + `,"` + canary + `",{},null,[` + message(8) + `],` + message(8) + "]": {400, []int{1, 2, 3, 4}},
			"[" + message(8) + "," + long + "]":                                                     {413, []int{1}},
			"[" + message(8) + "," + canary + "," + message(8) + "]":                                {400, []int{1}},
			"[" + message(8):                       {400, []int{1}},
			"[" + message(8) + ",]":                {400, []int{1}},
			"[" + message(8) + message(8) + "]":    {400, []int{1}},
			"[" + message(8) + "]" + message(8):    {400, []int{1}},
			"[" + message(8) + "}":                 {400, []int{1}},
			"[,":                                   {400, []int{0}},
			"[":                                    {400, []int{0}},
			"[" + strings.Repeat("1,", 149) + "1]": {400, seq(100, 0)},
			strings.Repeat("[", 100_000):           {400, []int{0}},
		} {
			a := r.post(one, body)
			if diff := cmp.Diff(want.bad, a.indexes); diff != "" || a.status != want.status {
				t.Errorf("%.80q: %d %s, indexes -want +got:\n%s", body, a.status, a.text, diff)
			}
			if strings.Contains(fmt.Sprint(a), canary) {
				t.Errorf("a message is shown: %v", a)
			}
		}
		r.stop()
		got := r.ids()
		slices.Sort(got)
		if diff := cmp.Diff([]string{"1", "2", "3", "4"}, got); diff != "" {
			t.Errorf("stored (-want +got):\n%s", diff)
		}
		if st := r.Stats(); st.Posts != 4 || st.Repaired != 1 || st.Refused["size"] != 1 {
			t.Errorf("Stats: %+v", st)
		}
	})
}

func seq(n, from int) (s []int) {
	for i := range n {
		s = append(s, i+from)
	}
	return s
}

// What is refused before the body is read.
func TestRefusedRequests(t *testing.T) {
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	host := func(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }
	method := func(m string) func(*http.Request) { return func(r *http.Request) { r.Method = m } }
	kind := func(k string) func(*http.Request) { return header("Content-Type", k) }
	for name, c := range map[string]struct {
		change func(*http.Request)
		status int
		reason string
	}{
		"GET":                     {method("GET"), 405, "method"},
		"PUT":                     {method("PUT"), 405, "method"},
		"OPTIONS":                 {method("OPTIONS"), 405, "method"},
		"text":                    {kind("text/plain"), 415, "type"},
		"a form":                  {kind("application/x-www-form-urlencoded"), 415, "type"},
		"no type":                 {kind(""), 415, "type"},
		"a broken type":           {kind("application/json; charset"), 415, "type"},
		"a type twice":            {func(r *http.Request) { r.Header.Add("Content-Type", "text/plain") }, 415, "type"},
		"two types":               {kind("application/json, text/plain"), 415, "type"},
		"another charset":         {kind("application/json; charset=latin1"), 415, "type"},
		"not gzip":                {header("Content-Encoding", "gzip"), 415, "encoding"},
		"br":                      {header("Content-Encoding", "br"), 415, "encoding"},
		"gzip twice":              {header("Content-Encoding", "gzip, gzip"), 415, "encoding"},
		"identity":                {header("Content-Encoding", "identity"), 204, ""},
		"two encodings":           {func(r *http.Request) { r.Header["Content-Encoding"] = []string{"identity", "deflate"} }, 415, "encoding"},
		"another site":            {header("Sec-Fetch-Site", "cross-site"), 403, "origin"},
		"another port":            {header("Sec-Fetch-Site", "same-site"), 403, "origin"},
		"the same site":           {header("Sec-Fetch-Site", "same-origin"), 204, ""},
		"another origin":          {header("Origin", "https://evil.example"), 403, "origin"},
		"an origin of nothing":    {header("Origin", "null"), 403, "origin"},
		"the same origin":         {header("Origin", "http://127.0.0.1:8080"), 204, ""},
		"localhost":               {host("localhost"), 204, ""},
		"LOCALHOST.:80":           {host("LOCALHOST.:80"), 204, ""},
		"[::1]:8080":              {host("[::1]:8080"), 204, ""},
		"[::1]":                   {host("[::1]"), 204, ""},
		"127.1.2.3":               {host("127.1.2.3"), 204, ""},
		"one of the list":         {host("posts.example.com:8080"), 204, ""},
		"an address of the list":  {host("192.0.2.1"), 204, ""},
		"an address of IPv6":      {host("[2001:db8::1]:80"), 204, ""},
		"a rebinding page":        {host("evil.example:8080"), 421, "host"},
		"one below one of it":     {host("x.posts.example.com"), 421, "host"},
		"almost localhost":        {host("localhost.evil.example"), 421, "host"},
		"a name like an address":  {host("127.0.0.1.nip.io"), 421, "host"},
		"another address":         {host("192.0.2.2"), 421, "host"},
		"any address":             {host("0.0.0.0"), 421, "host"},
		"a rebinding same-origin": {func(r *http.Request) { r.Host = "evil.example"; r.Header.Set("Sec-Fetch-Site", "same-origin") }, 421, "host"},
		"no authorization":        {func(r *http.Request) { r.Header.Del("Authorization") }, 401, "authorization"},
		"a wrong one":             {header("Authorization", "Bearer kanarienvogel"), 401, "authorization"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := start(t, httpsource.Hosts("Posts.example.com", "192.0.2.1"), httpsource.Hosts("2001:db8::1"), httpsource.Authorize(func(r *http.Request) error {
					if got := r.Header.Get("Authorization"); got != "Bearer right" {
						return fmt.Errorf("%q is wrong", got)
					}
					return nil
				}))
				a := r.post(one, message(1), func(req *http.Request) {
					req.Header.Set("Authorization", "Bearer right")
					c.change(req)
				})
				r.stop()
				if a.status != c.status || len(r.ids()) != map[bool]int{true: 1}[c.status == 204] {
					t.Errorf("answered %d %s, want %d; stored: %v", a.status, a.text, c.status, r.ids())
				}
				if (a.status == 405) != (a.header.Get("Allow") == "POST") || (a.status == 401) != (a.header.Get("WWW-Authenticate") != "") {
					t.Errorf("headers: %v", a.header)
				}
				if c.reason != "" && r.Stats().Refused[c.reason] != 1 {
					t.Errorf("Stats: %+v", r.Stats())
				}
				if said := fmt.Sprint(a, r.Stats()); strings.Contains(said, "kanarien") || strings.Contains(said, "evil") {
					t.Errorf("the answer or Stats quote the request: %s", said)
				}
			})
		})
	}
}

func TestAnyHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, httpsource.Hosts("*"))
		if a := r.post(one, message(1), func(r *http.Request) { r.Host = "anything.example" }); a.status != http.StatusNoContent {
			t.Errorf("answered %d", a.status)
		}
		r.stop()
	})
}

func TestNewRefuses(t *testing.T) {
	for want, opt := range map[string]httpsource.Option{
		"Hosts":                      httpsource.Hosts("ok.example", "https://example.com"),
		`Hosts: ""`:                  httpsource.Hosts(""),
		"port":                       httpsource.Hosts("example.com:80"),
		"Hosts: nothing given":       httpsource.Hosts(),
		"Authorize":                  httpsource.Authorize(nil),
		"MaxMessage":                 httpsource.MaxMessage(0),
		"MaxBatch":                   httpsource.MaxBatch(1),
		"MaxRequests":                httpsource.MaxRequests(0),
		"MaxRate":                    httpsource.MaxRate(0),
		"Secret: there is no secret": httpsource.Secret(" \n"),
		"Secret: secret 1 is not":    httpsource.Secret("kanarienvogel!"),
		"XWebhook":                   httpsource.XWebhook(" "),
	} {
		if src, err := httpsource.New(opt); err == nil || src != nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "httpsource: ") {
			t.Errorf("New() = %v, %v, want an error with %s", src, err, want)
		}
	}
}

// The log is full: a request waits, for up to 5 s.
func TestTheLogIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t)
		r.full <- struct{}{}
		begin := time.Now()
		if a := r.post(one, message(1)); a.status != http.StatusServiceUnavailable || time.Since(begin) != 5*time.Second {
			t.Errorf("answered %d %s after %v", a.status, a.text, time.Since(begin))
		}
		time.AfterFunc(4*time.Second, func() { <-r.full })
		begin = time.Now()
		if a := r.post(batch, message(1)); a.status != http.StatusNoContent || time.Since(begin) != 4*time.Second {
			t.Errorf("answered %d %s after %v", a.status, a.text, time.Since(begin))
		}
		r.stop()
		if st := r.Stats(); st.Refused["held"] != 1 || st.Posts != 1 {
			t.Errorf("Stats: %+v", st)
		}
	})
}

// A sender that goes away does not leave a request behind.
func TestTheSenderGoesWhileTheLogIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, httpsource.MaxRequests(1))
		r.full <- struct{}{}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://127.0.0.1/", strings.NewReader(message(1)))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", one)
		if _, err := r.client.Do(req); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Do() = %v", err)
		}
		synctest.Wait()
		time.AfterFunc(time.Second, func() { <-r.full })
		if a := r.post(one, message(2)); a.status != http.StatusNoContent {
			t.Errorf("answered %d %s: the request before holds its place", a.status, a.text)
		}
		r.stop()
	})
}

func TestOnlyWhileStreamRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, err := httpsource.New()
		if err != nil {
			t.Fatal(err)
		}
		r := &receiver{Source: src, t: t, full: make(chan struct{}, 1)}
		r.Listener, r.client = serve(t, src)
		refused := func(when string) {
			t.Helper()
			if a := r.post(one, message(1)); a.status != http.StatusServiceUnavailable {
				t.Errorf("%s: answered %d", when, a.status)
			}
		}
		refused("before Stream")
		for range 2 {
			r.stream()
			if err := r.Stream(t.Context(), nil, r.emit); err == nil {
				t.Error("a second Stream at once is no error")
			}
			if a := r.post(one, message(1)); a.status != http.StatusNoContent {
				t.Errorf("answered %d", a.status)
			}
			r.stop()
			refused("after Stream")
		}
		if st := r.Stats(); st.Refused["stopped"] != 3 || !r.CanWait() {
			t.Errorf("Stats: %+v", st)
		}
	})
}

// Requests in every state when Stream ends: none emits after that, none hangs.
func TestTheEndOfStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t)
		r.full <- struct{}{}
		var requests sync.WaitGroup
		requests.Go(func() {
			if a := r.post(one, message(1)); a.status != http.StatusServiceUnavailable {
				t.Errorf("waiting for the log: answered %d", a.status)
			}
		})
		body := newSlow(message(2), 100*time.Millisecond)
		requests.Go(func() {
			a, _ := r.raw(body.request(one))
			if a == nil || a.status != http.StatusServiceUnavailable {
				t.Errorf("sending its body: answered %v", a)
			}
		})
		time.Sleep(2 * time.Second)
		begin := time.Now()
		r.stop()
		if took := time.Since(begin); took > 0 {
			t.Errorf("Stream went on for %v", took)
		}
		<-r.full
		requests.Wait()
		if got := r.ids(); len(got) > 0 {
			t.Errorf("stored: %v", got)
		}
	})
}

// Behind any server, also one whose writer knows no deadlines.
func TestWithoutDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t)
		w := httptest.NewRecorder()
		req := httptest.NewRequest(http.MethodPost, "http://localhost/", strings.NewReader(message(1)))
		req.Header.Set("Content-Type", one)
		r.ServeHTTP(w, req)
		r.stop()
		if w.Code != http.StatusNoContent || len(r.ids()) != 1 {
			t.Errorf("answered %d", w.Code)
		}
	})
}

// Over sockets, as a server of HTTP/1.1 and of HTTP/2 has it.
func TestOverSockets(t *testing.T) {
	for name, begin := range map[string]func(*httptest.Server){
		"HTTP/1.1": (*httptest.Server).Start,
		"HTTP/2.0": func(s *httptest.Server) { s.EnableHTTP2 = true; s.StartTLS() },
	} {
		t.Run(name, func(t *testing.T) {
			src, err := httpsource.New()
			if err != nil {
				t.Fatal(err)
			}
			var got recorder
			_, stop := run(t, src, tweetstream.WithSink("recorder", &got))
			server := httptest.NewUnstartedServer(src)
			begin(server)
			defer server.Close()
			want := []string{"204", "400", "408", "413"}
			for i, body := range []func() io.Reader{
				func() io.Reader { return strings.NewReader(message(1)) },
				func() io.Reader { return strings.NewReader(message(2)[1:]) },
				func() io.Reader {
					return io.MultiReader(strings.NewReader(message(3)[:20]), iotest.ErrReader(errors.New("gone")))
				},
				func() io.Reader { return strings.NewReader(strings.Repeat(" ", 5<<20)) },
			} {
				var status string
				for status == "" || strings.HasPrefix(status, "503") { // Run has not begun
					resp, err := server.Client().Post(server.URL, one, body())
					if err != nil {
						status = "408" // nobody was there to be answered
						break
					}
					_ = resp.Body.Close()
					if status = resp.Status; resp.Proto != name {
						t.Errorf("%s, want %s", resp.Proto, name)
					}
				}
				if !strings.HasPrefix(status, want[i]) {
					t.Errorf("answered %s, want %s", status, want[i])
				}
			}
			stop()
			if diff := cmp.Diff([]string{"1"}, got.ids()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// Tweets that are kept do not keep the body that they came in.
func TestTweetsShareNoMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t)
		body := message(1) + strings.Repeat("\n", 4<<20)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for range 10 {
			if a := r.post(batch, body); a.status != http.StatusNoContent {
				t.Errorf("answered %d", a.status)
			}
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		r.stop()
		if held := int64(after.HeapAlloc) - int64(before.HeapAlloc); held > 8<<20 || len(r.got()) != 10 {
			t.Errorf("%d tweets hold %d bytes", len(r.got()), held)
		}
	})
}

// The time that a body took is not taken from that for the log.
func TestASlowBodyAndAFullLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t)
		for name, client := range map[string]*http.Client{"HTTP/1.1": r.client, "HTTP/2": serveHTTP2(t, r)} {
			r.full <- struct{}{}
			time.AfterFunc(32*time.Second, func() { <-r.full })
			msg := message(1)
			begin := time.Now()
			resp, err := client.Post("http://localhost/", one, newSlow(msg, 29*time.Second/time.Duration(len(msg))))
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if took := time.Since(begin); resp.StatusCode != http.StatusNoContent || took != 32*time.Second {
				t.Errorf("%s: answered %s after %v", name, resp.Status, took)
			}
		}
		r.stop()
	})
}

// Stream waits for a log that is slow to give up.
func TestTheEndOfStreamWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newSource(t)
		ctx, cancel := context.WithCancel(t.Context())
		begun, emitting := make(chan struct{}), false
		ended := make(chan error, 1)
		go func() {
			ended <- src.Stream(ctx, nil, func(ctx context.Context, _ []*tweetstream.Tweet, _ []byte) error {
				emitting = true
				close(begun)
				<-ctx.Done()
				time.Sleep(time.Second)
				emitting = false
				return ctx.Err()
			})
		}()
		synctest.Wait()
		var request sync.WaitGroup
		request.Go(func() {
			req := httptest.NewRequest(http.MethodPost, "http://localhost/", strings.NewReader(message(1)))
			req.Header.Set("Content-Type", one)
			src.ServeHTTP(httptest.NewRecorder(), req)
		})
		<-begun
		cancel()
		if err := <-ended; err != nil || emitting {
			t.Errorf("Stream() = %v; it emits: %v", err, emitting)
		}
		request.Wait()
	})
}

// Real messages, if there are any, come byte for byte.
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
		r := start(t)
		var want []string
		for line := range strings.Lines(string(data)) {
			line = strings.TrimRight(line, "\r\n")
			want = append(want, line)
			if a := r.post(one, line); a.status != http.StatusNoContent {
				t.Errorf("line %d: %d %s", len(want), a.status, a.text)
			}
		}
		if a := r.post(batch, string(data)); a.status != http.StatusNoContent {
			t.Errorf("%d %s", a.status, a.text)
		}
		r.stop()
		var got []string
		for _, tw := range r.got() {
			got = append(got, string(tw.Raw))
		}
		if diff := cmp.Diff(append(want, want...), got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}
