package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/examples/internal/web"
	"github.com/tweetstream-go/tweetstream/sinks/wshub"
)

const wantWS = "want ws://HOST:PORT/PATH, as in ws://127.0.0.1:8090/feed"

// parseWS reads where a hub is to be served.
func parseWS(rest string) (target, error) {
	u, err := url.Parse("ws:" + rest)
	if err != nil || u.Opaque != "" {
		return target{}, errors.New(wantWS)
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	query, queryErr := url.ParseQuery(u.RawQuery)
	origins := query["origin"]
	delete(query, "origin")
	switch {
	case u.User != nil:
		return target{}, errors.New("ws: knows no user and password: whoever reaches the address can read the Posts")
	case err != nil || u.Hostname() == "":
		return target{}, errors.New(wantWS)
	case u.Fragment != "" || queryErr != nil || len(query) > 0:
		return target{}, errors.New("behind the path there can be ?origin=URL only, the origin of a page that may read the Posts")
	}
	opts := []wshub.Option{wshub.Hosts(web.Hosts(u.Hostname())...)}
	if len(origins) > 0 {
		opts = append(opts, wshub.Origins(origins...))
	}
	if _, err := wshub.New(opts...); err != nil {
		return target{}, errors.New(strings.TrimPrefix(err.Error(), "wshub: "))
	}
	addr := net.JoinHostPort(u.Hostname(), strconv.FormatUint(port, 10))
	path := "/" + strings.TrimPrefix(u.Path, "/")
	open := func(_ context.Context, logger *slog.Logger) (tweetstream.Sink, func() error, error) {
		return serveHub(addr, path, append(opts, wshub.Logger(logger)), logger)
	}
	return target{place: rest, listen: addr, open: open}, nil
}

// serveHub opens a hub and serves it.
func serveHub(addr, path string, opts []wshub.Option, logger *slog.Logger) (tweetstream.Sink, func() error, error) {
	hub, err := wshub.New(opts...)
	if err != nil {
		return nil, nil, err
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, nil, err
	}
	server := web.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != path {
			http.NotFound(w, r)
			return
		}
		hub.ServeHTTP(w, r)
	}))
	server.ErrorLog = slog.NewLogLogger(logger.Handler(), slog.LevelDebug)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	logger.Info("serving a WebSocket", "url", "ws://"+listener.Addr().String()+path)

	closeAll := func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		// A viewer that does not take its leave in time is no failure.
		if err := hub.Close(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		err := web.Shutdown(server)
		if e := <-ended; e != nil && !errors.Is(e, http.ErrServerClosed) {
			err = errors.Join(err, fmt.Errorf("serve: %w", e))
		}
		return err
	}
	return hub, closeAll, nil
}
