package xstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// A TokenSource gives the bearer token for the next request. It is asked anew
// for each connection, so that a token can be changed while the program runs. It
// may be called by several goroutines at once. Its error ends the stream and
// must not hold the token.
type TokenSource func(ctx context.Context) (string, error)

// Token is a token that the program has.
func Token(token string) TokenSource {
	return named("the token given", func() (string, error) { return token, nil })
}

// TokenEnv is the token in an environment variable.
func TokenEnv(name string) TokenSource {
	return named("environment variable "+name, func() (string, error) {
		token, ok := os.LookupEnv(name)
		if !ok {
			return "", errors.New("is not set")
		}
		return token, nil
	})
}

// TokenFile is the token in a file, which is read anew each time. A line break
// at its end does no harm.
func TokenFile(path string) TokenSource {
	return named("file "+path, func() (string, error) {
		f, err := os.Open(path)
		if err != nil {
			return "", fmt.Errorf("can't be read: %w", errors.Unwrap(err)) // the path is named already
		}
		defer f.Close()
		data, err := io.ReadAll(io.LimitReader(f, 64<<10))
		if err != nil {
			return "", fmt.Errorf("can't be read: %w", errors.Unwrap(err))
		}
		return string(data), nil
	})
}

// where is the key of a context that asks a TokenSource of this package for its
// name, which errors need long after the token was given: its value is a *string.
type where struct{}

func named(name string, read func() (string, error)) TokenSource {
	return func(ctx context.Context) (string, error) {
		if ask, ok := ctx.Value(where{}).(*string); ok {
			*ask = name
			return "", nil
		}
		token, err := read()
		if err != nil {
			return "", fmt.Errorf("%s %w", name, err)
		}
		if token, err = clean(token); err != nil {
			return "", fmt.Errorf("%s %w", name, err)
		}
		return token, nil
	}
}

// name returns what errors call s.
func (s TokenSource) name() string {
	name := "the token source"
	_, _ = s(context.WithValue(context.Background(), where{}, &name))
	return name
}

// clean takes off what people copy along with a token, and refuses what can't be
// one. The errors do not show it.
func clean(token string) (string, error) {
	token = strings.TrimSpace(token)
	if rest, ok := strings.CutPrefix(token, "Bearer "); ok {
		token = strings.TrimSpace(rest)
	}
	switch {
	case token == "":
		return "", errors.New("holds no token")
	case strings.ContainsAny(token, "\r\n"):
		return "", errors.New("holds more than one line; the bearer token is one line")
	}
	for _, r := range token {
		if r <= ' ' || r > '~' {
			return "", errors.New("holds characters that no bearer token has")
		}
	}
	return token, nil
}
