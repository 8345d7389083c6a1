package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/examples/internal/secrets"
	"github.com/tweetstream-go/tweetstream/examples/internal/xflags"
	"github.com/tweetstream-go/tweetstream/sinks/httpsink"
)

// posting are the flags for http: and https: sinks.
type posting struct {
	HTTPSecretFile *string `name:"http-secret-file" placeholder:"FILE" help:"Sign what is posted to http: sinks, as Standard Webhooks has it, with the secrets in this file (whsec_…): several in lines of their own while they are changed."`
	HTTPSecretEnv  *string `name:"http-secret-env" placeholder:"NAME" help:"Take these secrets from this environment variable instead."`
	HTTPBatch      int     `name:"http-batch" default:"1" placeholder:"N" help:"Post up to N messages at once to http: sinks, one a line, and wait for them for a second at most (${default})."`
}

// parseHTTP reads the URL that messages are posted to.
func parseHTTP(scheme string) func(rest string) (target, error) {
	return func(rest string) (target, error) {
		t := target{place: rest, url: scheme + rest}
		if _, err := httpsink.New(t.url); err != nil {
			return target{}, errors.New(strings.TrimPrefix(err.Error(), "httpsink: New: "))
		}
		return t, nil
	}
}

// complete makes sinks of the targets that are URLs.
func (p *posting) complete(targets []target, s *settings) error {
	if p.HTTPBatch < 1 || p.HTTPBatch > 100_000 {
		return misuse("%s: want 1 to 100000, got %d", s.Given("http-batch"), p.HTTPBatch)
	}
	var opts []httpsink.Option
	from, err := s.OneOf("http-secret-file", "http-secret-env")
	if err != nil {
		return err
	}
	var file *secrets.File
	switch from {
	case "http-secret-file":
		if file, err = secrets.Read(*p.HTTPSecretFile); err != nil {
			return misuse("%s: %w", s.Given(from), err)
		}
		opts = append(opts, httpsink.Secret(file.Text))
	case "http-secret-env":
		if !xflags.EnvVar.MatchString(*p.HTTPSecretEnv) || strings.HasPrefix(*p.HTTPSecretEnv, "whsec_") {
			return misuse("%s: want the name of a variable that holds the secret", s.Given(from))
		}
		opts = append(opts, httpsink.Secret(os.Getenv(*p.HTTPSecretEnv)))
	}
	var warned sync.Once // for all sinks
	for i := range targets {
		t := &targets[i]
		if t.url == "" {
			continue
		}
		if _, err := httpsink.New(t.url, opts...); err != nil { // the URL is good
			return misuse("%s: %s", s.Given(from), strings.TrimPrefix(err.Error(), "httpsink: Secret: "))
		}
		t.plug = []tweetstream.SinkOption{tweetstream.Batch(p.HTTPBatch, time.Second)}
		t.open = func(_ context.Context, logger *slog.Logger) (tweetstream.Sink, func() error, error) {
			warned.Do(func() { file.Warn(logger) })
			sink, err := httpsink.New(t.url, append(opts, httpsink.Logger(logger))...)
			if err != nil {
				return nil, nil, err
			}
			return sink, sink.Close, nil
		}
	}
	return nil
}
