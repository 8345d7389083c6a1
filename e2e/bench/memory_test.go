package main_test

import (
	"context"
	"errors"
	"net/http"
	"runtime/debug"
	"testing"
	"time"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sources/xstream"
)

func init() {
	readers["idle"] = idle
	readers["full"] = full
}

// BenchmarkMemory is what a process holds: with nothing to do, and with the
// default buffer full because its sink is down.
func BenchmarkMemory(b *testing.B) {
	for _, reader := range []string{"idle", "full"} {
		b.Run(reader, func(b *testing.B) {
			for range b.N {
				x := &load{posts: 200_000, hold: true}
				x.start(b)
				r := errand{Reader: reader, Addr: x.addr, Posts: x.posts}.start(b).wait()
				b.ReportMetric(float64(r.Resident)/(1<<20), "resident-MiB")
				b.ReportMetric(float64(r.Peak)/(1<<20), "peak-MiB")
				b.ReportMetric(0, "ns/op")
			}
		})
	}
}

// BenchmarkLong is what the process holds after more and more Posts, through three
// sinks and a hub with one viewer: 20,000 a second, and an op is a second. With 360x
// it is as many as 2,000 a second bring in an hour: more than the windows of ids hold,
// in which alone it may grow. It is looked at twenty times, each time after a
// collection.
func BenchmarkLong(b *testing.B) {
	x := &load{posts: 20_000 * b.N, rate: 20_000, hold: true}
	length := time.Duration(b.N) * time.Second
	hold(b, x, errand{Sinks: 3, Hub: true, Look: length / 20})
}

// idle is connected to X, which has nothing to say for three seconds.
func idle(e errand) (r report, err error) {
	nothing := http.Client{Transport: silence{}}
	s, err := streamer(&nothing, &check{of: -1, done: func() {}})
	if err != nil {
		return r, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	err = s.Run(ctx)
	debug.FreeOSMemory()
	r.Resident = resident()
	return r, err
}

// silence is a connection on which nothing comes.
type silence struct{}

func (silence) RoundTrip(req *http.Request) (*http.Response, error) {
	return (&once{}).RoundTrip(req)
}

// full has read all that X has, and its sink has taken none of it.
func full(e errand) (r report, err error) {
	down := tweetstream.SinkFunc(func(context.Context, *tweetstream.Tweet) error { return errors.New("down") })
	s, err := streamer(nil, down, xstream.BaseURL("http://"+e.Addr))
	if err != nil {
		return r, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	go func() {
		for s.Stats().Received < uint64(e.Posts) && ctx.Err() == nil {
			time.Sleep(10 * time.Millisecond)
		}
		debug.FreeOSMemory()
		r.Resident = resident()
		cancel()
	}()
	err = s.Run(ctx)
	return r, err
}

func streamer(client *http.Client, sink tweetstream.Sink, opts ...xstream.Option) (*tweetstream.Streamer, error) {
	opts = append(opts, xstream.Sample())
	if client != nil {
		opts = append(opts, xstream.HTTPClient(client))
	}
	src, err := xstream.New(xstream.Token("any"), opts...)
	if err != nil {
		return nil, err
	}
	return tweetstream.New(src, tweetstream.WithSink("sink", sink), tweetstream.WithDrain(0))
}
