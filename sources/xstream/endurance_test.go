package xstream_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tweetstream-go/tweetstream/sources/xstream"
	"github.com/tweetstream-go/tweetstream/xtest"
)

// A day with a fault an hour: all Posts are there, by the stream or by search, and
// nothing grows.
func TestADayOfFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t, xtest.Rate(0.2), xtest.Topics("coop"), xtest.EnforceLimits(), xtest.History(2000))
		defer x.Close()
		var open atomic.Int64
		transport := x.Client().Transport.(*http.Transport)
		dial := transport.DialContext
		transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := dial(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			open.Add(1)
			return &counted{Conn: c, open: &open}, nil
		}
		s := start(t, nil, xstream.Token("secret"), append(opts, originals, xstream.Gzip())...)
		s.mu.Lock()
		s.idOnly = true
		s.mu.Unlock()
		after(time.Minute)
		conns, goroutines := open.Load(), runtime.NumGoroutine()
		faults := []string{
			"reset", "clean", "stall", "halfline", "disconnect", "disconnect-bare=SlowReader", "garbagex3", "unknown", "bigline", "reset 503x3",
			"reset 429", "clean toomanyx2", "clean html200x2", "clean emptyx3", "reset nostream", "nokeepalive=30s", "reset 402", "disconnect=ForceDisconnect",
			"halfline html", "reset redirect", "stall=10s", "clean 408", "disconnect=InternalError", "flood=100",
		}
		var early uint64
		for hour, fault := range faults {
			if hour == 4 {
				early = heap() // the server knows by then as many Posts as it ever will
			}
			inject(t, x, fault)
			after(time.Hour)
			if !s.Stats().Connected {
				t.Errorf("not connected an hour after %q:\n%s", fault, s.logged())
			}
		}
		if got := open.Load(); got > conns {
			t.Errorf("%d connections are open, %d at the start", got, conns)
		}
		if got := runtime.NumGoroutine(); got > goroutines+2 {
			t.Errorf("%d goroutines, %d at the start", got, goroutines)
		}
		if late := heap(); late > early+12<<20 {
			// 14,000 Posts are more than 40 MiB, their ids 3.
			t.Errorf("%d MiB of memory are in use after a day, %d after four hours", late>>20, early>>20)
		}
		s.stop()
		got, all := sorted(s.got()), sorted(x.IDs())
		if !slices.Equal(got, all) {
			t.Errorf("%d of %d Posts", len(got), len(all))
		}
		// A Post that comes again, by a repeat or a search, is bought once.
		if bought := s.Stats().Read.Month; bought != len(all) {
			t.Errorf("%d Posts bought, of %d", bought, len(all))
		}
	})
}

// heap returns how much memory is in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

type counted struct {
	net.Conn
	open   *atomic.Int64
	closed atomic.Bool
}

func (c *counted) Close() error {
	if c.closed.CompareAndSwap(false, true) {
		c.open.Add(-1)
	}
	return c.Conn.Close()
}

// However a stream is cut into reads, compressed or not, it brings the same.
func TestEveryCutGivesTheSamePosts(t *testing.T) {
	stream := "\r\n" + `{"data":{"id":"1","text":"a\r\n\"}é"},"matching_rules":[{"id":"9","tag":"t"}]}` + "\r\n\r\nnonsense\r\n" +
		`{"errors":[{"title":"x"}]}` + "\r\n" + `{"data":{"id":"2"}}` + "\n" + `{"data":{"id":"3","text":"` + "\xff" + `"}}` + "\r\n" + `{"data":{"id":"4"}}`
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	for line := range strings.SplitAfterSeq(stream, "\n") {
		io.WriteString(z, line)
		z.Flush()
	}
	z.Close()
	for encoding, data := range map[string][]byte{"": []byte(stream), "gzip": packed.Bytes()} {
		for cut := range len(data) + 1 {
			var body io.Reader = io.MultiReader(bytes.NewReader(data[:cut]), bytes.NewReader(data[cut:]))
			if cut == len(data) {
				body = iotest.OneByteReader(bytes.NewReader(data))
			}
			synctest.Test(t, func(t *testing.T) {
				first := true
				client := &http.Client{Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
					if !first {
						<-req.Context().Done()
						return nil, req.Context().Err()
					}
					first = false
					return &http.Response{StatusCode: 200, Header: http.Header{"Content-Encoding": {encoding}}, Body: io.NopCloser(body), Request: req}, nil
				})}
				s := start(t, nil, xstream.Token("secret"), xstream.HTTPClient(client), xstream.Sample())
				after(time.Second)
				s.stop()
				if diff := cmp.Diff([]string{"1", "2", "3", "4"}, s.got()); diff != "" {
					t.Fatalf("%s cut at %d (-want +got):\n%s", encoding, cut, diff)
				}
				if st := s.Stats(); st.Malformed != 1 || st.Repaired != 1 {
					t.Fatalf("%s cut at %d: %+v", encoding, cut, st)
				}
			})
		}
	}
}

// A compressed stream brings each message when it is sent, and what a torn one
// brought is there.
func TestGzip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t)
		defer x.Close()
		encodings := map[string]bool{}
		client := &http.Client{Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
			resp, err := x.Client().Transport.RoundTrip(req)
			if err == nil && req.URL.Path == streamPath {
				encodings[resp.Header.Get("Content-Encoding")] = true
			}
			return resp, err
		})}
		s := start(t, nil, xstream.Token("secret"), append(opts, coop, xstream.Gzip(), xstream.HTTPClient(client))...)
		for i := range 5 {
			x.Post(xtest.Post{Text: fmt.Sprint("coop ", i)})
			after(time.Millisecond)
			if n := len(s.got()); n != i+1 {
				t.Errorf("%d Posts, want %d at once", n, i+1)
			}
		}
		after(time.Minute)
		x.Post(xtest.Post{Text: "coop, then a cut"})
		inject(t, x, "halfline")
		after(time.Second)
		x.Post(xtest.Post{Text: "coop again"})
		inject(t, x, "bigline")
		after(time.Second)
		s.stop()
		if diff := cmp.Diff(x.IDs(), s.got()); diff != "" || !encodings["gzip"] || len(encodings) != 1 {
			t.Errorf("encodings %v (-want +got):\n%s", encodings, diff)
		}
		if st := s.Stats(); st.Oversized != 1 || st.Ends["reset"] != 1 {
			t.Errorf("Stats: %+v", st)
		}
	})
	// Without the option nothing is compressed, also by a client that would ask.
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t)
		defer x.Close()
		x.Client().Transport.(*http.Transport).DisableCompression = false
		encoding := "?"
		client := &http.Client{Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
			resp, err := x.Client().Transport.RoundTrip(req)
			if err == nil && req.URL.Path == streamPath {
				encoding = fmt.Sprint(resp.Header.Get("Content-Encoding"), resp.Uncompressed)
			}
			return resp, err
		})}
		s := start(t, nil, xstream.Token("secret"), append(opts, coop, xstream.HTTPClient(client))...)
		if encoding != "false" {
			t.Errorf("the stream is compressed: %s", encoding)
		}
		s.stop()
	})
}

// What was flushed twice, but has come at once, is read in two goes: the state
// must not be ahead of the second.
func TestStateIsNotAheadOfWhatIsCompressed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		fmt.Fprint(z, "\r\n")
		z.Flush()
		begin := bytes.Clone(packed.Bytes())
		packed.Reset()
		for i := range 2 {
			fmt.Fprintf(z, `{"data":{"id":"%d"}}`+"\r\n", i+1)
			z.Flush()
		}
		client := &http.Client{Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
			r, w := io.Pipe()
			context.AfterFunc(req.Context(), func() { w.CloseWithError(context.Cause(req.Context())) })
			go func() {
				w.Write(begin)
				time.Sleep(10 * time.Second)
				w.Write(packed.Bytes())
			}()
			return &http.Response{StatusCode: 200, Header: http.Header{"Content-Encoding": {"gzip"}}, Body: r, Request: req}, nil
		})}
		s := start(t, nil, xstream.Token("secret"), xstream.HTTPClient(client), xstream.Sample(), xstream.Gzip())
		before := s.heard()
		after(11 * time.Second)
		s.stop()
		if len(s.got()) != 2 || !s.heard().Equal(before) {
			t.Errorf("%d Posts; the state went from %v to %v", len(s.got()), before, s.heard())
		}
	})
}
