package xtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sources/xstream"
)

// Run streams from x into a [tweetstream.Streamer] with the given options, until
// all that x has sent is delivered: a test of sinks and transforms in a whole
// pipeline, from the wire on. It reads through [Server.Client], so that it works
// in a testing/synctest bubble too; there x must be made with [InMemory].
//
// Once the stream is connected, Run calls send, from its own goroutine, which
// sends Posts with [Server.Post] or [Server.Send]; it may be nil. Besides, Run
// waits for the Posts of [Rate], which must have a [Limit], and for the end of a
// [Replay]. The stream is the filtered one if x has rules (see [Rule]), otherwise
// the sampled one, which brings all Posts without matching_rules.
//
// The error says what went wrong: the stream could not be opened or went on
// without messages that x had sent, a tweet was lost (rejected, given up, …), or
// ctx was done before all was delivered. A ctx without a deadline ends after a
// minute. Run returns when the Streamer's Run has; x and the sinks stay open.
func Run(ctx context.Context, x *Server, send func(), opts ...tweetstream.Option) (tweetstream.Stats, error) {
	if x.client == nil {
		return tweetstream.Stats{}, errors.New("xtest: Run: the server must come from NewServer")
	}
	if x.cfg.replay == nil && x.cfg.rate > 0 && x.cfg.limit == 0 {
		return tweetstream.Stats{}, errors.New("xtest: Run: Rate needs a Limit, or there is no end to wait for")
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Minute)
		defer cancel()
	}
	token := "any"
	if len(x.cfg.tokens) > 0 {
		token = x.cfg.tokens[0]
	}
	from := []xstream.Option{xstream.BaseURL(x.URL), xstream.HTTPClient(x.client)}
	if x.rules.empty() {
		from = append(from, xstream.Sample())
	}
	src, err := xstream.New(xstream.Token(token), from...)
	if err != nil {
		return tweetstream.Stats{}, err
	}
	all := make(chan struct{}) // closed when the source has brought all there is
	s, err := tweetstream.New(&bounded{src, all}, opts...)
	if err != nil {
		return tweetstream.Stats{}, err
	}
	connects, dropped := x.connects.Load(), x.dropped.Load()

	ctx, cancel := context.WithCancel(ctx)
	ran := make(chan struct{})
	var failed error
	go func() {
		defer close(ran)
		failed = s.Run(ctx)
	}()
	defer func() { // also when send ends the goroutine, as t.Fatal does
		cancel()
		<-ran
	}()
	waiting, stop := context.WithCancel(ctx) // ends with the run, too
	defer stop()
	go func() {
		<-ran
		stop()
	}()
	if x.WaitConnected(waiting) == nil {
		if send != nil {
			send()
		}
		if x.await(waiting, x.sentAll) && x.await(waiting, func() bool { return x.drained(src, connects) }) {
			close(all)
		}
	}
	<-ran

	stats := s.Stats()
	if failed == nil && ctx.Err() != nil {
		failed = fmt.Errorf("xtest: Run: stopped before all was delivered: %w", context.Cause(ctx))
	}
	if n := x.dropped.Load() - dropped; n > 0 {
		failed = errors.Join(failed, fmt.Errorf("xtest: Run: %d messages of the stream were dropped on their way", n))
	}
	return stats, errors.Join(failed, losses(stats))
}

// bounded is a source that ends when all is closed: the Streamer then delivers
// what it has, without a limit of time.
type bounded struct {
	*xstream.Source
	all <-chan struct{}
}

func (b *bounded) Stream(ctx context.Context, from []byte, emit tweetstream.Emit) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-b.all:
			cancel()
		case <-ctx.Done():
		}
	}()
	return b.Source.Stream(ctx, from, emit)
}

// await waits until what holds, unless ctx is done first.
func (s *Server) await(ctx context.Context, holds func() bool) bool {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// sentAll reports whether the server sends nothing more by itself.
func (s *Server) sentAll() bool {
	if s.cfg.replay != nil {
		return s.replayed.Load()
	}
	s.making.Lock() // Posts are counted before they are queued
	defer s.making.Unlock()
	if s.lags() {
		return false
	}
	return s.cfg.rate == 0 || s.made.Load() >= int64(s.cfg.limit)
}

// drained ends the streams behind what is queued, and reports whether src has
// read all of them to the end. It has emitted what it has read by then.
func (s *Server) drained(src *xstream.Source, before int64) bool {
	s.Disconnect(Clean)
	st := src.Stats()
	return s.hub.idle() && !st.Connected && int64(st.Disconnects) >= s.connects.Load()-before
}

// losses is the error for tweets that somebody did not get.
func losses(st tweetstream.Stats) error {
	var errs []error
	for _, why := range slices.Sorted(maps.Keys(st.Lost)) {
		errs = append(errs, fmt.Errorf("xtest: Run: %d tweets got to no sink: %s", st.Lost[why], why))
	}
	for _, sink := range st.Sinks {
		for _, why := range slices.Sorted(maps.Keys(sink.Lost)) {
			err := fmt.Errorf("xtest: Run: sink %s did not get %d tweets: %s", sink.Name, sink.Lost[why], why)
			if sink.LastError != "" {
				err = fmt.Errorf("%w; its last error: %s", err, sink.LastError)
			}
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
