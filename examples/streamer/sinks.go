package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sinks/filesink"
)

// A scheme is a kind of --to URL. To add one, add it to schemes.
type scheme struct {
	name string
	form string // for the help

	// parse checks what stands behind the colon, and opens nothing. Its errors
	// show nothing of it that may be secret. Of the target it sets open, and what
	// else there is to say.
	parse func(rest string) (target, error)
}

// An opener opens a sink. Its close is called after Run; it may be nil.
type opener func(ctx context.Context, logger *slog.Logger) (sink tweetstream.Sink, close func() error, err error)

var schemes = []scheme{
	{"file", "file:PATH", parseFile},
	{"stdout", "stdout:", parseStdout},
	{"http", "http://…", parseHTTP("http:")},
	{"https", "https://…", parseHTTP("https:")},
	{"ws", "ws://HOST:PORT/PATH", parseWS},
	{"postgres", "postgres://USER@HOST/DATABASE", parsePostgres("postgres")},
	{"mysql", "mysql://USER@HOST/DATABASE", parseMySQL},
	{"sqlite", "sqlite:PATH", parseSQLite},
}

func schemeForms() []string {
	var forms []string
	for _, s := range schemes {
		forms = append(forms, s.form)
	}
	return forms
}

func parseFile(rest string) (target, error) {
	path := rest
	if strings.HasPrefix(path, "//") {
		// The URL as RFC 8089 has it, of which the host must be empty.
		if !strings.HasPrefix(path, "///") {
			return target{}, errors.New("want file:PATH, or file:///PATH for an absolute one")
		}
		path = path[2:]
	}
	if path == "" {
		return target{}, errors.New("want file:PATH: the path is empty")
	}
	open := func(context.Context, *slog.Logger) (tweetstream.Sink, func() error, error) {
		sink, err := filesink.Open(path)
		if err != nil {
			return nil, nil, err
		}
		return sink, sink.Close, nil
	}
	return target{place: filepath.Clean(path), open: open}, nil
}

func parseStdout(rest string) (target, error) {
	if rest != "" {
		return target{}, errors.New("stdout: has nothing behind the colon")
	}
	return target{open: func(context.Context, *slog.Logger) (tweetstream.Sink, func() error, error) {
		sink := filesink.Stdout()
		return sink, sink.Close, nil
	}}, nil
}

// A target is one --to, checked and not yet open.
type target struct {
	given  string // as errors name it: the flag, and its value without secrets
	name   string
	scheme string
	place  string // to tell targets of a scheme apart
	listen string // the HOST:PORT where others get the Posts; empty if they do not
	url    string // of an http: sink, with its secrets; posting.complete opens it
	open   opener
	plug   []tweetstream.SinkOption

	database *database // of an SQL sink; databases.complete opens it
	password string    // that does not stand in its URL
}

// sinkFlags are the flags that --to has need of.
type sinkFlags struct {
	posting
	databases
}

// complete makes sinks of the targets that flags say more about.
func (f *sinkFlags) complete(targets []target, s *settings) error {
	if err := f.posting.complete(targets, s); err != nil {
		return err
	}
	return f.databases.complete(targets, s)
}

var targetName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,62}$`)

// parseTargets reads all --to.
func parseTargets(texts []string, s *settings) ([]target, error) {
	var targets []target
	for _, text := range texts {
		t, err := parseTarget(text)
		t.given = s.Given("to") + " " + shown(text)
		if err != nil {
			return nil, misuse("%s: %w", t.given, err)
		}
		for _, other := range targets {
			switch {
			case other.scheme == t.scheme && other.place == t.place:
				return nil, misuse("%s and %s are the same", other.given, shown(text))
			case other.name == t.name:
				return nil, misuse("%s and %s would both be the sink %q: give one of them a NAME, as in --to %s-2=%s…",
					other.given, shown(text), t.name, t.scheme, t.scheme+":")
			}
		}
		targets = append(targets, t)
	}
	return targets, nil
}

// parseTarget reads [NAME=]URL. What stands before a "=" is a NAME only if no
// colon comes before: there may be more of both in the URL.
func parseTarget(text string) (target, error) {
	before, rest, ok := strings.Cut(text, ":")
	if !ok {
		return target{}, fmt.Errorf("want [NAME=]URL, the URL one of %s", strings.Join(schemeForms(), ", "))
	}
	name, kind, named := strings.Cut(before, "=")
	if !named {
		kind = before
		name = kind
	}
	for _, s := range schemes {
		if s.name != kind {
			continue
		}
		if !targetName.MatchString(name) {
			return target{}, errors.New("a NAME is a lower-case letter, then letters, digits and hyphens, 63 at most")
		}
		t, err := s.parse(rest)
		t.name, t.scheme = name, kind
		return t, err
	}
	return target{}, fmt.Errorf("there is no scheme %q: want one of %s", kind, strings.Join(schemeForms(), ", "))
}

var (
	credentials = regexp.MustCompile(`(?s)(:/{0,2}).*@`)
	query       = regexp.MustCompile(`(?s)([?#]).*`)
	segment     = regexp.MustCompile(`/[^/]{20,}`)
)

// shown returns a --to as errors may show it: without password and query. Chat
// services have secrets in the path, too.
func shown(text string) string {
	text = credentials.ReplaceAllString(text, "$1…@")
	if kind, rest, ok := strings.Cut(text, "://"); ok {
		rest = query.ReplaceAllString(rest, "$1…")
		host, _, _ := strings.Cut(rest, "/")
		text = kind + "://" + host + segment.ReplaceAllString(rest[len(host):], "/…")
	}
	return strconv.Quote(text)
}

// openSinks opens the targets in order, and returns what plugs them in and what
// closes them. After an error nothing is open.
func openSinks(ctx context.Context, targets []target, logger *slog.Logger) (plugs []tweetstream.Option, close func() error, err error) {
	var closers []func() error
	close = func() error {
		var errs []error
		for _, c := range closers {
			errs = append(errs, c())
		}
		return errors.Join(errs...)
	}
	for _, t := range targets {
		sink, c, err := t.open(ctx, logger)
		if err != nil {
			return nil, nil, errors.Join(fmt.Errorf("%s: %w", t.given, err), close())
		}
		plugs = append(plugs, tweetstream.WithSink(t.name, sink, t.plug...))
		if c != nil {
			closers = append(closers, func() error {
				if err := c(); err != nil {
					return fmt.Errorf("close sink %s: %w", t.name, err)
				}
				return nil
			})
		}
	}
	return plugs, close, nil
}
