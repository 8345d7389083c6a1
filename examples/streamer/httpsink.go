package main

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sinks/httpsink"
)

// parseHTTP reads the URL that messages are posted to.
func parseHTTP(scheme string) func(rest string) (target, error) {
	return func(rest string) (target, error) {
		sink, err := httpsink.New(scheme + rest)
		if err != nil {
			return target{}, errors.New(strings.TrimPrefix(err.Error(), "httpsink: New: "))
		}
		open := func(context.Context, *slog.Logger) (tweetstream.Sink, func() error, error) {
			return sink, sink.Close, nil
		}
		return target{place: rest, open: open}, nil
	}
}
