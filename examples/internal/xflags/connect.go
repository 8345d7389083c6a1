// Package xflags are the flags by which programs reach X, and which say what that
// may cost: where the API is, where the token is, the budget.
package xflags

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"regexp"
	"strings"

	"github.com/tweetstream-go/tweetstream/examples/internal/web"
	"github.com/tweetstream-go/tweetstream/sources/xstream"
)

// Settings knows which flags are given, wherever they are set.
type Settings interface {
	// Given returns a flag as errors name it, with where its value came from.
	Given(flag string) string
	// OneOf returns which of these flags is given, "" if none is. They are forms of
	// one setting.
	OneOf(flags ...string) (form string, err error)
}

// Connect are the flags that say where X is and what opens it.
type Connect struct {
	APIURL          string `name:"api-url" default:"https://api.x.com" placeholder:"URL" help:"Where the API is: X itself, a proxy or a simulator."`
	TokenFile       string `placeholder:"FILE" help:"Take the app's Bearer Token from this file. By default bearer.txt."`
	TokenEnv        string `placeholder:"NAME" help:"Take the app's Bearer Token from this environment variable instead."`
	TokenCredential string `placeholder:"NAME" help:"Take the app's Bearer Token from this credential of systemd instead (LoadCredential=NAME:…)."`
}

const defaultTokenFile = "bearer.txt"

// simulated is the token for a simulator, which takes any.
const simulated = "simulated"

// Check finds what can't be, before anything is opened.
func (c *Connect) Check(s Settings) error {
	if _, err := xstream.New(xstream.Token(simulated), xstream.BaseURL(c.APIURL)); err != nil {
		return fmt.Errorf("%s: %s", s.Given("api-url"), strings.TrimPrefix(err.Error(), "xstream: BaseURL: "))
	}
	form, err := tokenForm(s)
	switch {
	case err != nil:
		return err
	case form == "token-file" && (c.TokenFile == "" || strings.HasPrefix(c.TokenFile, tokenStart)):
		return fmt.Errorf("%s: want the name of a file that holds the token", s.Given(form))
	case form == "token-env" && (!EnvVar.MatchString(c.TokenEnv) || strings.HasPrefix(c.TokenEnv, tokenStart)):
		return fmt.Errorf("%s: want the name of a variable that holds the token", s.Given(form))
	case form == "token-credential" && (!credential.MatchString(c.TokenCredential) || strings.HasPrefix(c.TokenCredential, tokenStart)):
		return fmt.Errorf("%s: want the name of a credential that holds the token", s.Given(form))
	}
	return nil
}

// tokenForm returns which flag says where the token is, "" if none does.
func tokenForm(s Settings) (form string, err error) {
	return s.OneOf("token-file", "token-env", "token-credential")
}

// tokenStart is how X's bearer tokens begin. One that is given by mistake, for a
// name, must not be shown.
const tokenStart = "AAAAAAAAAAAA"

var (
	// EnvVar is the name of a variable of the environment.
	EnvVar     = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	credential = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.:@-]*$`)
)

// Token returns where the token comes from, once it is seen to be there. What Check
// has found nothing against is wanted. That the token is a made-up one is logged at
// the level.
func (c *Connect) Token(ctx context.Context, s Settings, logger *slog.Logger, level slog.Level) (xstream.TokenSource, error) {
	const advice = "put the app's Bearer Token, from X's developer console, "
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
		if _, err := os.Stat(defaultTokenFile); errors.Is(err, fs.ErrNotExist) && IsSimulator(c.APIURL) {
			logger.Log(ctx, level, "no bearer.txt: a made-up token is used, which a simulator takes", "url", c.APIURL)
			return xstream.Token(simulated), nil
		}
	}
	if _, err := token(ctx); err != nil {
		return nil, fmt.Errorf("no token: %w: %s%s", err, advice, where)
	}
	return token, nil
}

// IsSimulator reports whether the API is on this machine, unencrypted.
func IsSimulator(api string) bool {
	u, err := url.Parse(api)
	return err == nil && u.Scheme == "http" && web.IsLoopback(u.Hostname())
}
