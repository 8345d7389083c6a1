package main

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/deadletter"
	"github.com/tweetstream-go/tweetstream/examples/internal/web"
	"github.com/tweetstream-go/tweetstream/sinks/filesink"
	"github.com/tweetstream-go/tweetstream/sinks/httpsink"
	"github.com/tweetstream-go/tweetstream/sinks/wshub"
	"github.com/tweetstream-go/tweetstream/sources/httpsource"
	"github.com/tweetstream-go/tweetstream/sources/xstream"
	"github.com/tweetstream-go/tweetstream/xtest"
)

const (
	// maxRate is a little more than all of X in its busiest second.
	maxRate = 150_000

	// newest is with how many Posts a viewer begins.
	newest = 200

	// deadBytes is how large the dead letters may grow.
	deadBytes = 256 << 20
)

// viewers is the second service: it takes Posts over HTTP, and hands them to the
// browsers and to the archive.
type viewers struct {
	source   *httpsource.Source
	hub      *wshub.Hub
	history  *history
	insights insights
	dead     *deadletter.File
	streamer *tweetstream.Streamer
	archive  *filesink.Sink // nil if there is none
}

func (c *cli) openViewers(ctx context.Context, logger *slog.Logger) (_ *viewers, err error) {
	v := &viewers{}
	defer func() {
		if err != nil {
			err = errors.Join(err, v.close())
		}
	}()
	take := []httpsource.Option{httpsource.Hosts(c.hosts()...)}
	if c.secret != nil {
		take = append(take, httpsource.Secret(c.secret.Text))
	}
	if v.source, err = httpsource.New(take...); err != nil {
		return nil, err
	}
	if v.history, err = openHistory(ctx, c.Data, c.Keep); err != nil {
		return nil, fmt.Errorf("--data: %w", err)
	}
	if err = v.history.recount(ctx, time.Now(), &v.insights); err != nil {
		return nil, fmt.Errorf("--data: %w", err)
	}
	if v.hub, err = wshub.New(wshub.Newest(newest), wshub.SkipSlow(), wshub.Resume(v.history), wshub.Hosts(c.hosts()...), wshub.Logger(logger)); err != nil {
		return nil, err
	}
	if v.dead, err = deadletter.Open(filepath.Join(v.history.folder, "dead.ndjson"), deadletter.MaxBytes(deadBytes), deadletter.Logger(logger)); err != nil {
		return nil, fmt.Errorf("--data: %w", err)
	}
	opts := []tweetstream.Option{
		tweetstream.WithLogger(logger),
		tweetstream.WithDeadLetter(v.dead.Keep),
		tweetstream.WithSink("hub", v.hub),
		// Who looks on does not wait for what is only kept and counted.
		tweetstream.WithSink("history", v.history, tweetstream.WhenFull(tweetstream.DropOldest)),
		tweetstream.WithSink("insights", &v.insights, tweetstream.WhenFull(tweetstream.DropOldest)),
	}
	if c.Archive != "" {
		if v.archive, err = filesink.Open(c.Archive); err != nil {
			return nil, fmt.Errorf("--archive: %w", err)
		}
		opts = append(opts, tweetstream.WithSink("archive", v.archive))
	}
	v.streamer, err = tweetstream.New(v.source, opts...)
	return v, err
}

// close closes what openViewers has opened, as far as it has come.
func (v *viewers) close() (err error) {
	if v.archive != nil {
		err = v.archive.Close()
	}
	if v.dead != nil {
		err = errors.Join(err, v.dead.Close())
	}
	if v.history != nil {
		err = errors.Join(err, v.history.close())
	}
	return err
}

// reader is the first service: it reads X and posts what comes to the second, at
// a listener of its own: to it the second is as far away as another machine. X is
// simulated, and a part of it here, unless --live.
type reader struct {
	x        *xtest.Server // nil with --live
	faults   *faults       // likewise
	tags     []string
	atX      net.Listener // likewise
	atWeb    net.Listener // where the second service takes Posts
	token    string       // others on this machine are none of the first service
	source   *xstream.Source
	sink     *httpsink.Sink
	streamer *tweetstream.Streamer
}

func (c *cli) openReader(v *viewers, logger *slog.Logger) (_ *reader, err error) {
	r := &reader{token: rand.Text(), tags: c.tags()}
	defer func() {
		if err != nil {
			r.close()
		}
	}()
	from := append([]xstream.Option{xstream.BaseURL(c.APIURL)}, c.money...)
	token := c.token
	if !c.Live {
		if r.x, err = xtest.New(xtest.Rate(c.Rate)); err != nil {
			return nil, err
		}
		r.faults = &faults{x: r.x}
		if r.atX, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return nil, err
		}
		from, token = []xstream.Option{xstream.BaseURL("http://" + r.atX.Addr().String())}, xstream.Token("simulated")
	}
	if r.atWeb, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	var rules []tweetstream.Rule
	for _, tag := range c.tags() {
		rules = append(rules, tweetstream.Rule{Tag: tag, Value: tag + " OR #" + tag})
	}
	if r.source, err = xstream.New(token, append(from, xstream.Rules(rules...), xstream.Logger(logger))...); err != nil {
		return nil, err
	}
	post := []httpsink.Option{httpsink.Header("Authorization", "Bearer "+r.token), httpsink.Logger(logger)}
	if c.secret != nil {
		post = append(post, httpsink.Secret(c.secret.Text))
	}
	r.sink, err = httpsink.New("http://"+r.atWeb.Addr().String()+"/tweets", post...)
	if err != nil {
		return nil, err
	}
	opts := []tweetstream.Option{
		tweetstream.WithLogger(logger),
		tweetstream.WithDeadLetter(v.dead.Keep),
		tweetstream.WithSink("web", r.sink, tweetstream.Batch(100, 0), tweetstream.Retry(200*time.Millisecond, 2*time.Second)),
	}
	if c.Checkpoint != "" {
		opts = append(opts, tweetstream.WithCheckpoint(c.Checkpoint))
	}
	r.streamer, err = tweetstream.New(r.source, opts...)
	return r, err
}

// close closes what openReader has opened, as far as it has come.
func (r *reader) close() {
	if r.x != nil {
		r.x.Close()
	}
	for _, l := range []net.Listener{r.atX, r.atWeb} {
		if l != nil {
			_ = l.Close() // the server has closed it, or nobody has used it
		}
	}
	if r.sink != nil {
		_ = r.sink.Close() // it closes connections, and never fails
	}
}

// serve runs all of it until ctx is done, or a part fails.
func (c *cli) serve(ctx context.Context, logger *slog.Logger) (err error) {
	c.secret.Warn(logger)
	guard, err := c.guard(logger)
	if err != nil {
		return err
	}
	v, err := c.openViewers(ctx, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, v.close()) }()
	var r *reader
	if !c.Receive {
		if r, err = c.openReader(v, logger); err != nil {
			return err
		}
		defer r.close()
	}
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}

	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	p := parts{fail: fail, log: slog.NewLogLogger(logger.Handler(), slog.LevelDebug)}
	stopViewers := p.run(v.streamer.Run)
	stopTrim := p.run(func(ctx context.Context) error { return v.history.trim(ctx, logger) })
	p.serve(listener, web.NewServer(guard(routes(v, r, c.mayChange()))))
	stopReader := func() {}
	if r != nil {
		if r.x != nil {
			x := web.NewServer(r.x)
			x.WriteTimeout = 0 // a stream has no end
			p.serve(r.atX, x)
		}
		take := bearer(r.token, v.source)
		if r.faults != nil {
			take = r.faults.between(take)
		}
		p.serve(r.atWeb, web.NewServer(take))
		stopReader = p.run(r.streamer.Run)
	}
	var budget xstream.Reads
	if r != nil {
		budget = r.source.Stats().Budget
	}
	c.greet(listener.Addr().String(), budget, v.history)

	<-ctx.Done()
	if r != nil && r.faults != nil {
		r.faults.gone.Store(false) // or what was received would not get there
	}
	stopTrim()
	stopReader()  // it posts what it has received,
	stopViewers() // and that reaches the viewers and the archive
	leave, done := context.WithTimeout(context.Background(), 2*time.Second)
	defer done()
	_ = v.hub.Close(leave) // a viewer that does not take its leave in time is no failure
	p.shutDown()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// bearer lets those requests through that have the token.
func bearer(token string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		given, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if subtle.ConstantTimeCompare([]byte(given), []byte(token)) != 1 {
			http.Error(w, "not authorized", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// parts are the servers and Streamers under way. The first that fails ends all.
type parts struct {
	fail    context.CancelCauseFunc
	log     *log.Logger
	servers []*http.Server
	running sync.WaitGroup
}

// serve serves until shutDown.
func (p *parts) serve(l net.Listener, server *http.Server) {
	server.ErrorLog = p.log
	p.servers = append(p.servers, server)
	p.running.Go(func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			p.fail(err)
		}
	})
}

func (p *parts) shutDown() {
	for _, s := range p.servers {
		_ = web.Shutdown(s)
	}
	p.running.Wait()
}

// run runs f until stop, which waits for its end.
func (p *parts) run(f func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := f(ctx); err != nil {
			p.fail(err)
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}
