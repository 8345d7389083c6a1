package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"strings"

	"github.com/tweetstream-go/tweetstream/sources/xstream"
)

// connect are the flags that say where X is and what opens it.
type connect struct {
	APIURL          string `name:"api-url" default:"https://api.x.com" placeholder:"URL" help:"Where the API is: X itself, a proxy or a simulator."`
	TokenFile       string `placeholder:"FILE" help:"Take the app's Bearer Token from this file. By default bearer.txt."`
	TokenEnv        string `placeholder:"NAME" help:"Take the app's Bearer Token from this environment variable instead."`
	TokenCredential string `placeholder:"NAME" help:"Take the app's Bearer Token from this credential of systemd instead (LoadCredential=NAME:…)."`
}

const defaultTokenFile = "bearer.txt"

// simulated is the token for a simulator, which takes any.
const simulated = "simulated"

// check finds what can't be, before anything is opened.
func (c *connect) check(s *settings) error {
	if _, err := xstream.New(xstream.Token(simulated), xstream.BaseURL(c.APIURL)); err != nil {
		return misuse("%s: %s", s.given("api-url"), strings.TrimPrefix(err.Error(), "xstream: BaseURL: "))
	}
	form, err := tokenForm(s)
	switch {
	case err != nil:
		return err
	case form == "token-file" && (c.TokenFile == "" || strings.HasPrefix(c.TokenFile, tokenStart)):
		return misuse("%s: want the name of a file that holds the token", s.given(form))
	case form == "token-env" && (!envVar.MatchString(c.TokenEnv) || strings.HasPrefix(c.TokenEnv, tokenStart)):
		return misuse("%s: want the name of a variable that holds the token", s.given(form))
	case form == "token-credential" && (!credential.MatchString(c.TokenCredential) || strings.HasPrefix(c.TokenCredential, tokenStart)):
		return misuse("%s: want the name of a credential that holds the token", s.given(form))
	}
	return nil
}

// tokenForm returns which flag says where the token is, "" if none does.
func tokenForm(s *settings) (form string, err error) {
	return s.oneOf("token-file", "token-env", "token-credential")
}

// tokenStart is how X's bearer tokens begin. One that is given by mistake, for a
// name, must not be shown.
const tokenStart = "AAAAAAAAAAAA"

var (
	envVar     = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	credential = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.:@-]*$`)
)

// token returns where the token comes from, once it is seen to be there. That it
// is a made-up one is logged at the level.
func (c *connect) token(ctx context.Context, s *settings, logger *slog.Logger, level slog.Level) (xstream.TokenSource, error) {
	const advice = "put the app's Bearer Token, from X's developer console, "
	if err := c.check(s); err != nil {
		return nil, err
	}
	form, _ := tokenForm(s) // checked
	var token xstream.TokenSource
	var where string
	switch form {
	case "token-env":
		token, where = xstream.TokenEnv(c.TokenEnv), "into that variable"
	case "token-file":
		token, where = xstream.TokenFile(c.TokenFile), "into that file"
	case "token-credential":
		token, where = xstream.TokenCredential(c.TokenCredential), "into that credential"
	default:
		token, where = xstream.TokenFile(defaultTokenFile), "into that file, or say with --token-file, --token-env or --token-credential where it is"
		if _, err := os.Stat(defaultTokenFile); errors.Is(err, fs.ErrNotExist) && isSimulator(c.APIURL) {
			logger.Log(ctx, level, "no bearer.txt: a made-up token is used, which a simulator takes", "api_url", c.APIURL)
			return xstream.Token(simulated), nil
		}
	}
	if _, err := token(ctx); err != nil {
		return nil, fmt.Errorf("no token: %w: %s%s", err, advice, where)
	}
	return token, nil
}

// isSimulator reports whether the API is on this machine, unencrypted.
func isSimulator(api string) bool {
	u, err := url.Parse(api)
	return err == nil && u.Scheme == "http" && isLoopback(u.Hostname())
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// isLoopbackAddr is isLoopback of HOST:PORT. Without a host it is every address
// of the machine.
func isLoopbackAddr(addr string) (bool, error) {
	host, _, err := net.SplitHostPort(addr)
	return isLoopback(host), err
}
