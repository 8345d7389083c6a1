package xstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// A TokenSource gives the bearer token for the next request. It is asked anew
// for each connection, so that a token can be changed while the program runs. It
// may be called by several goroutines at once. Its first error ends the stream;
// once it has given a token, errors are logged, and that token is used for as long
// as X takes it. An error must not hold the token.
type TokenSource func(ctx context.Context) (string, error)

// Token is a token that the program has.
func Token(token string) TokenSource {
	return named("the token given", func(context.Context) (string, error) { return token, nil })
}

// TokenEnv is the token in an environment variable.
func TokenEnv(name string) TokenSource {
	return named("environment variable "+name, func(context.Context) (string, error) {
		token, ok := os.LookupEnv(name)
		if !ok {
			return "", errors.New("is not set")
		}
		return token, nil
	})
}

// TokenFile is the token in a file, which is read anew each time. A line break
// at its end does no harm. A file that others can read is warned about once.
func TokenFile(path string) TokenSource {
	return named("file "+path, func(ctx context.Context) (string, error) {
		token, mode, err := readToken(path)
		if warn, ok := ctx.Value(openFile{}).(func(string, os.FileMode)); ok && err == nil && mode&0o077 != 0 && runtime.GOOS != "windows" {
			warn(path, mode)
		}
		return token, err
	})
}

// TokenCredential is the token in a credential that systemd hands to the service
// (LoadCredential=name:… or LoadCredentialEncrypted=name:…), which is read anew
// each time.
func TokenCredential(name string) TokenSource {
	return named("systemd credential "+name, func(context.Context) (string, error) {
		dir := os.Getenv("CREDENTIALS_DIRECTORY")
		switch {
		case name == "" || name == "." || name == ".." || strings.ContainsAny(name, `/\`):
			return "", errors.New("is no name of a credential")
		case dir == "":
			return "", errors.New("is not there: CREDENTIALS_DIRECTORY is not set; does the unit have LoadCredential=?")
		}
		// Its mode shows the mask of an access control list, and so says nothing.
		token, _, err := readToken(filepath.Join(dir, name))
		return token, err
	})
}

// readToken reads a file. Its errors do not name the path.
func readToken(path string) (token string, mode os.FileMode, err error) {
	f, err := os.Open(path)
	if err == nil {
		defer f.Close()
		var info os.FileInfo
		if info, err = f.Stat(); err == nil {
			mode = info.Mode().Perm()
			var data []byte
			data, err = io.ReadAll(io.LimitReader(f, 64<<10))
			token = string(data)
		}
	}
	if err != nil {
		if inner := errors.Unwrap(err); inner != nil {
			err = inner
		}
		return "", 0, fmt.Errorf("can't be read: %w", err)
	}
	return token, mode, nil
}

// openFile is the key of a context whose value, a func(string, os.FileMode), is
// told of a file that others can read.
type openFile struct{}

// where is the key of a context that asks a TokenSource of this package for its
// name, which errors need long after the token was given: its value is a *string.
type where struct{}

func named(name string, read func(context.Context) (string, error)) TokenSource {
	return func(ctx context.Context) (string, error) {
		if ask, ok := ctx.Value(where{}).(*string); ok {
			*ask = name
			return "", nil
		}
		token, err := read(ctx)
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
	if scheme, rest, ok := strings.Cut(token, " "); ok && strings.EqualFold(scheme, "Bearer") {
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
