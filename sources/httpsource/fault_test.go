package httpsource_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tweetstream-go/tweetstream/sources/httpsource"
)

// slow is a body that comes a byte at a time.
type slow struct {
	data string
	wait time.Duration
}

func newSlow(data string, wait time.Duration) *slow { return &slow{data, wait} }

func (s *slow) Read(p []byte) (int, error) {
	if s.data == "" {
		return 0, io.EOF
	}
	time.Sleep(s.wait)
	n := copy(p[:1], s.data)
	s.data = s.data[n:]
	return n, nil
}

// request is a whole request with s for a body, at whose end the connection
// stays open.
func (s *slow) request(kind string) io.Reader {
	return io.MultiReader(strings.NewReader(head(kind, fmt.Sprintf("Content-Length: %d", len(s.data)))), s)
}

func head(kind string, more ...string) string {
	return "POST /tweets HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: " + kind + "\r\n" + strings.Join(append(more, "\r\n"), "\r\n")
}

// Bodies that do not come as they should. None of them is stored in part, and a
// sender is never told that its Post is bad.
func TestBodies(t *testing.T) {
	msg := message(1)
	length := fmt.Sprintf("Content-Length: %d", len(msg))
	two := msg + "\n" + message(2) + "\n"
	for name, c := range map[string]struct {
		request io.Reader
		status  int // 0: the connection is closed without an answer
		atMost  time.Duration
	}{
		"whole":                  {strings.NewReader(head(one, length) + msg), 204, 0},
		"in chunks":              {strings.NewReader(head(one, "Transfer-Encoding: chunked") + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(msg), msg)), 204, 0},
		"slow, in time":          {newSlow(msg, 200*time.Millisecond).request(one), 204, 20 * time.Second},
		"slowloris":              {newSlow(msg, 5*time.Second).request(one), 408, 31 * time.Second},
		"slowloris, batch":       {newSlow(two, 5*time.Second).request(batch), 408, 31 * time.Second},
		"stops in mid-body":      {strings.NewReader(head(one, length) + msg[:20]), 408, 31 * time.Second},
		"stops before the body":  {strings.NewReader(head(one, length)), 408, 31 * time.Second},
		"stops in a chunk":       {strings.NewReader(head(batch, "Transfer-Encoding: chunked") + "ff\r\n" + msg), 408, 31 * time.Second},
		"stops between messages": {strings.NewReader(head(batch, fmt.Sprintf("Content-Length: %d", len(two))) + msg + "\n"), 408, 31 * time.Second},
		"a broken chunk":         {strings.NewReader(head(batch, "Transfer-Encoding: chunked") + fmt.Sprintf("%x\r\n%s\r\nzz\r\n", len(msg), msg)), 408, 0},
		"wrong type, slow":       {newSlow(msg, 5*time.Second).request("text/plain"), 415, 31 * time.Second},
		"length over the limit":  {strings.NewReader(head(one, "Content-Length: 10000000") + " {"), 413, time.Second},
		"over every limit":       {strings.NewReader(head(one, "Content-Length: 100000000")), 413, time.Second},
		"an array stops":         {strings.NewReader(head(one, "Content-Length: 10000000") + "\n[" + msg), 408, 31 * time.Second},
		"white space":            {io.MultiReader(strings.NewReader(head(one, "Content-Length: 20000000")), strings.NewReader(strings.Repeat(" ", 20_000_000))), 413, time.Second},
		"chunks over the limit":  {io.MultiReader(strings.NewReader(head(one, "Transfer-Encoding: chunked")), &chunks{n: 10_000}), 413, time.Second},
		"batch over the limit":   {io.MultiReader(strings.NewReader(head(batch, "Transfer-Encoding: chunked")), &chunks{n: 100_000}), 413, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := start(t)
				a, took := r.raw(c.request)
				if a == nil {
					a = &answer{}
				}
				if a.status != c.status || took > c.atMost {
					t.Errorf("answered %d %s after %v, want %d within %v", a.status, a.text, took, c.status, c.atMost)
				}
				r.stop()
				if got := len(r.ids()); (c.status == 204) != (got == 1) {
					t.Errorf("%d stored", got)
				}
				if c.status == 408 && r.Stats().Refused["body"] != 1 || c.status == 413 && r.Stats().Refused["size"] != 1 {
					t.Errorf("Stats: %+v", r.Stats())
				}
			})
		})
	}
}

// chunks is n chunks of 1,000 bytes.
type chunks struct {
	n    int
	rest []byte
}

func (c *chunks) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		if c.n == 0 {
			return 0, io.EOF
		}
		c.n--
		c.rest = []byte("3e8\r\n" + strings.Repeat("x", 1_000) + "\r\n")
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// A sender that is gone in mid-body stores nothing.
func TestTheSenderIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t)
		conn, err := r.Dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, head(batch, "Content-Length: 1000")+message(1)+"\n")
		_ = conn.Close()
		synctest.Wait()
		r.stop()
		if st := r.Stats(); len(r.ids()) > 0 || st.Refused["body"] != 1 {
			t.Errorf("stored %v; Stats: %+v", r.ids(), st)
		}
	})
}

// The limits are to the byte.
func TestLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 100_000
		r := start(t, httpsource.MaxMessage(limit), httpsource.MaxBatch(3*limit))
		long := func(id, n int) string {
			msg := message(id)
			return strings.Replace(msg, "post", "post"+strings.Repeat("x", n-len(msg)), 1)
		}
		for _, c := range []struct {
			kind, body string
			want       int
		}{
			{one, long(1, limit), 204},
			{one, long(2, limit+1), 413},
			{batch, long(3, limit) + "\n" + long(4, limit) + "\n" + long(5, limit-2), 204},
			{batch, long(6, limit) + "\n" + long(7, limit) + "\n" + long(8, limit-1), 413},
			{batch, long(9, limit+1) + "\n", 413},
			{batch, strings.Repeat(`{"data":{"id":"1"}}`+"\n", 3*limit/20), 204},
			{one, "[" + long(3, limit) + "," + long(4, limit) + "," + long(5, limit-4) + "]", 204},
			{one, "[" + long(6, limit) + "," + long(7, limit) + "," + long(8, limit-3) + "]", 413},
			{one, "[" + long(9, limit+1) + "]", 413},
			{one, " \r\n\t[" + long(3, limit) + " ]", 204},
		} {
			for _, chunked := range []bool{false, true} {
				a := r.post(c.kind, c.body, func(req *http.Request) {
					if chunked {
						req.ContentLength = -1
					}
				})
				if a.status != c.want {
					t.Errorf("%s of %d bytes: answered %d %s, want %d", c.kind, len(c.body), a.status, a.text, c.want)
				}
			}
		}
		r.stop()
	})
}

func TestTooManyMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t)
		line := `{"data":{"id":"1"}}` + "\n"
		if a := r.post(batch, strings.Repeat(line, 100_001)); a.status != http.StatusRequestEntityTooLarge {
			t.Errorf("answered %d %s", a.status, a.text)
		}
		if a := r.post(batch, strings.Repeat(line, 100_000)); a.status != http.StatusNoContent {
			t.Errorf("answered %d %s", a.status, a.text)
		}
		if a := r.post(one, "["+strings.Repeat(line+",", 100_000)+line+"]"); a.status != http.StatusRequestEntityTooLarge {
			t.Errorf("an array: answered %d %s", a.status, a.text)
		}
		r.stop()
	})
}

// Requests that hold their places do not take the memory of all, and let others
// in when they are cut off.
func TestTooManyRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, httpsource.MaxRequests(3))
		var conns []net.Conn
		for range 3 {
			conn, err := r.Dial(t.Context(), "", "")
			if err != nil {
				t.Fatal(err)
			}
			conns = append(conns, conn)
			_, _ = io.WriteString(conn, head(one, "Content-Length: 1000"))
		}
		synctest.Wait()
		if a := r.post(one, message(1)); a.status != http.StatusServiceUnavailable {
			t.Errorf("the fourth was answered %d", a.status)
		}
		_ = conns[0].Close()
		synctest.Wait()
		if a := r.post(one, message(1)); a.status != http.StatusNoContent {
			t.Errorf("when one had gone: answered %d %s", a.status, a.text)
		}
		var reading sync.WaitGroup
		for _, conn := range conns[1:] {
			reading.Go(func() { _, _ = io.Copy(io.Discard, conn) })
		}
		begin := time.Now()
		reading.Wait() // until the server cuts them off
		if took := time.Since(begin); took > 31*time.Second {
			t.Errorf("cut off after %v", took)
		}
		r.stop()
		if st := r.Stats(); st.Refused["busy"] != 1 {
			t.Errorf("Stats: %+v", st)
		}
	})
}

func TestBodiesUnderWayAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 1 << 20
		r := start(t, httpsource.MaxMessage(limit), httpsource.MaxBatch(limit))
		var requests sync.WaitGroup
		var mu sync.Mutex
		answers := map[int]int{}
		for range 20 {
			requests.Go(func() {
				body := io.MultiReader(bytes.NewReader(bytes.Repeat([]byte(" "), limit-1_000)), newSlow(message(1), 10*time.Millisecond))
				a, _ := r.raw(io.MultiReader(strings.NewReader(head(batch, fmt.Sprintf("Content-Length: %d", limit-1_000+len(message(1))))), body))
				mu.Lock()
				defer mu.Unlock()
				answers[a.status]++
			})
		}
		requests.Wait()
		if answers[204] < 2 || answers[204] > 8 || answers[204]+answers[503] != 20 {
			t.Errorf("answers: %v", answers)
		}
		if a := r.post(one, message(1)); a.status != http.StatusNoContent { // all is given back
			t.Errorf("answered %d", a.status)
		}
		r.stop()
	})
}
