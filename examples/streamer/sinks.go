package main

import (
	"context"
	"errors"
	"fmt"
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
	// show nothing of it that may be secret.
	parse func(rest string) (opener, error)
}

// An opener opens a sink. Its close is called after Run; it may be nil.
type opener func(ctx context.Context) (sink tweetstream.Sink, close func() error, err error)

var schemes = []scheme{
	{"file", "file:PATH", parseFile},
	{"stdout", "stdout:", parseStdout},
}

func schemeForms() []string {
	var forms []string
	for _, s := range schemes {
		forms = append(forms, s.form)
	}
	return forms
}

func parseFile(rest string) (opener, error) {
	path := rest
	if strings.HasPrefix(path, "//") {
		// The URL as RFC 8089 has it, of which the host must be empty.
		if !strings.HasPrefix(path, "///") {
			return nil, errors.New("want file:PATH, or file:///PATH for an absolute one")
		}
		path = path[2:]
	}
	if path == "" {
		return nil, errors.New("want file:PATH: the path is empty")
	}
	return func(context.Context) (tweetstream.Sink, func() error, error) {
		sink, err := filesink.Open(path)
		if err != nil {
			return nil, nil, err
		}
		return sink, sink.Close, nil
	}, nil
}

func parseStdout(rest string) (opener, error) {
	if rest != "" {
		return nil, errors.New("stdout: has nothing behind the colon")
	}
	return func(context.Context) (tweetstream.Sink, func() error, error) {
		sink := filesink.Stdout()
		return sink, sink.Close, nil
	}, nil
}

// A target is one --to, checked and not yet open.
type target struct {
	name   string
	scheme string
	place  string // scheme and what stands behind the colon, to tell targets apart
	open   opener
}

var targetName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,62}$`)

// parseTargets reads all --to.
func parseTargets(texts []string, s *settings) ([]target, error) {
	var targets []target
	for _, text := range texts {
		t, err := parseTarget(text)
		if err != nil {
			return nil, misuse("%s %s: %w", s.given("to"), shown(text), err)
		}
		for i, other := range targets {
			switch {
			case other.place == t.place:
				return nil, misuse("%s %s and %s are the same", s.given("to"), shown(texts[i]), shown(text))
			case other.name == t.name:
				return nil, misuse("%s %s and %s would both be the sink %q: give one of them a NAME, as in --to %s-2=%s…",
					s.given("to"), shown(texts[i]), shown(text), t.name, t.scheme, t.scheme+":")
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
		open, err := s.parse(rest)
		if err != nil {
			return target{}, err
		}
		return target{name: name, scheme: kind, place: kind + ":" + filepath.Clean(rest), open: open}, nil
	}
	return target{}, fmt.Errorf("there is no scheme %q: want one of %s", kind, strings.Join(schemeForms(), ", "))
}

var (
	credentials = regexp.MustCompile(`//[^/]*@`)
	query       = regexp.MustCompile(`\?.*`)
)

// shown returns a --to as errors may show it: without password and query.
func shown(text string) string {
	return strconv.Quote(query.ReplaceAllString(credentials.ReplaceAllString(text, "//…@"), "?…"))
}

// openSinks opens the targets in order, and returns what plugs them in and what
// closes them. After an error nothing is open.
func openSinks(ctx context.Context, targets []target) (plugs []tweetstream.Option, close func() error, err error) {
	var closers []func() error
	close = func() error {
		var errs []error
		for _, c := range closers {
			errs = append(errs, c())
		}
		return errors.Join(errs...)
	}
	for _, t := range targets {
		sink, c, err := t.open(ctx)
		if err != nil {
			return nil, nil, errors.Join(fmt.Errorf("open sink %s: %w", t.name, err), close())
		}
		plugs = append(plugs, tweetstream.WithSink(t.name, sink))
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
