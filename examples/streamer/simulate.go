package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/tweetstream-go/tweetstream/examples/internal/web"
	"github.com/tweetstream-go/tweetstream/xtest"
)

// simulateCmd serves a simulated X API.
type simulateCmd struct {
	Listen string   `default:"127.0.0.1:8089" placeholder:"ADDR" help:"Listen on this address (${default})."`
	Remote bool     `help:"Let --listen be an address that other machines reach. Anybody there can then use the simulator."`
	Rate   *float64 `placeholder:"N" help:"Make N Posts a second, or replay N lines a second. By default 10 Posts, or a replay at full speed."`
	Replay string   `placeholder:"FILE" help:"Send the lines of this file, byte for byte and once, instead of made-up Posts."`
	Topic  []string `sep:"none" placeholder:"WORD" help:"Make Posts about this word. Can be given again. By default they match the rules."`
	Faults string   `placeholder:"SCRIPT" help:"Let go wrong what this says, from the first request on, as in \"2s:reset 5s:stall=30s 9s:503x3\": each is [AT:]NAME[=ARG][@ENDPOINT][xN]. Of streams: clean, reset, halfline, disconnect[=TYPE], disconnect-bare[=TYPE], stall[=D], nokeepalive[=D], slow[=N], garbage, unknown, bigline[=N], flood[=N]. Answers: a status such as 503, toomany, cap=daily, cap=monthly, html, html200, redirect, empty, nostream, ok. Of handshakes, with --tls: tls-cut, tls-badcert, tls-stall[=D]. Lasting: lag=D, search-late=D, backfill=on|400|403, limits=on|off|none. More can be posted to /_faults meanwhile."`
	TLS    string   `name:"tls" placeholder:"FILE" help:"Serve https, and write the certificate into this file: a streamer takes it with SSL_CERT_FILE=FILE."`
	Seed   uint64   `default:"1" placeholder:"N" help:"Make other Posts with another seed (${default})."`
}

// Run is called by kong.
func (c *simulateCmd) Run(ctx context.Context, common *common, con *console) error {
	loopback, err := web.IsLoopbackAddr(c.Listen)
	if err != nil {
		return misuse("--listen %q: want HOST:PORT, as in 127.0.0.1:8089", c.Listen)
	}
	if !loopback && !c.Remote {
		return misuse("--listen %q: other machines could reach it: if that is meant, give --remote too", c.Listen)
	}
	opts := []xtest.Option{xtest.Seed(c.Seed), xtest.Rate(c.rate()), xtest.Topics(c.Topic...), xtest.Faults(c.Faults)}
	scheme := "http://"
	if c.TLS != "" {
		scheme, opts = "https://", append(opts, xtest.TLS())
	}
	if c.Replay != "" {
		f, err := os.Open(c.Replay)
		if err != nil {
			return err
		}
		defer f.Close()
		opts = append(opts, xtest.Replay(f))
	}
	x, err := xtest.New(opts...)
	if err != nil {
		return usageError{err}
	}
	defer x.Close()
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           x,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
	server.RegisterOnShutdown(func() { x.Disconnect(xtest.Clean) })
	serve := server.Serve
	if c.TLS != "" {
		if err := os.WriteFile(c.TLS, x.CertificatePEM(), 0o644); err != nil {
			return errors.Join(fmt.Errorf("--tls: %w", err), listener.Close())
		}
		server.TLSConfig = x.TLSConfig()
		server.ErrorLog = slog.NewLogLogger(common.logger(con).Handler(), slog.LevelDebug)
		serve = func(l net.Listener) error { return server.ServeTLS(l, "", "") }
	}
	c.greet(common, con, scheme+listener.Addr().String())

	ended := make(chan error, 1)
	go func() { ended <- serve(listener) }()
	select {
	case err = <-ended:
	case <-ctx.Done():
		err = shutDown(server)
		<-ended
	}
	st := x.Stats()
	common.logger(con).Info("ended", "connects", st.Connects, "sent", st.Sent, "made", st.Made, "dropped", st.Dropped)
	return err
}

// rate returns what is sent a second; 0 is the full speed of a replay.
func (c *simulateCmd) rate() float64 {
	switch {
	case c.Rate != nil:
		return *c.Rate
	case c.Replay != "":
		return 0
	}
	return 10
}

// shutDown lets streams end in good order, but does not wait for long.
func shutDown(server *http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return server.Close()
}

// greet says where the simulator is, and how to use it.
func (c *simulateCmd) greet(common *common, con *console, url string) {
	command := fmt.Sprintf("%s --api-url %s --tag coop", self(), url)
	what := fmt.Sprintf("made-up Posts, %v a second, from the first connection on", c.rate())
	if c.Replay != "" {
		command = fmt.Sprintf("%s --api-url %s --to file:out.ndjson", self(), url)
		what = "the lines of " + c.Replay + ", once"
	}
	if c.TLS != "" {
		command = fmt.Sprintf("SSL_CERT_FILE=%s TOKEN=any %s --token-env TOKEN", c.TLS, command)
	}
	if common.LogFormat == "json" {
		common.logger(con).Info("listening", "url", url, "sends", what, "command", command)
		return
	}
	fmt.Fprintf(con, "A simulated X API is at %s (%s).\nRead it from another terminal:\n\n    %s\n\n", url, what, command)
}

// self is how the program was called.
func self() string {
	if strings.Contains(os.Args[0], "go-build") { // by go run, which deletes it
		return "go run ./examples/streamer"
	}
	return os.Args[0]
}
