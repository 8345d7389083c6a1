package xstream_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tweetstream-go/tweetstream/sources/xstream"
	"github.com/tweetstream-go/tweetstream/xtest"
)

func TestTokenCredential(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "bearer"), []byte("Bearer canary\n"), 0o440); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	if got, err := xstream.TokenCredential("bearer")(t.Context()); got != "canary" || err != nil {
		t.Errorf("token %q, %v", got, err)
	}
	for name, want := range map[string]string{"other": "can't be read: no such file", "../bearer": "no name of a credential", "": "no name", "..": "no name"} {
		if got, err := xstream.TokenCredential(name)(t.Context()); got != "" || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("credential %q: %q, %v; want %q", name, got, err, want)
		}
	}
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	if _, err := xstream.TokenCredential("bearer")(t.Context()); err == nil || !strings.Contains(err.Error(), "LoadCredential=") {
		t.Errorf("without a directory: %v", err)
	}
}

// A file that others can read is named once, with what to do about it.
func TestOpenTokenFileIsWarnedAbout(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes of files say nothing here")
	}
	for mode, warns := range map[os.FileMode]int{0o600: 0, 0o400: 0, 0o640: 1, 0o604: 1} {
		path := filepath.Join(t.TempDir(), "bearer.txt")
		if err := os.WriteFile(path, []byte("canary"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		synctest.Test(t, func(t *testing.T) {
			x, opts := server(t)
			defer x.Close()
			s := start(t, nil, xstream.TokenFile(path), append(opts, coop)...)
			after(time.Minute)
			s.stop()
			if got := strings.Count(s.logged(), "chmod 600"); got != warns || warns > 0 && !strings.Contains(s.logged(), path) {
				t.Errorf("mode %v: %d warnings, want %d:\n%s", mode, got, warns, s.logged())
			}
		})
	}
}

// A token that was just changed is asked for once more, also for a request with a
// body; neither the new one nor the old one is shown.
func TestChangedTokenIsAskedForAgain(t *testing.T) {
	for _, path := range []string{streamPath, rulesPath} {
		synctest.Test(t, func(t *testing.T) {
			x, opts := server(t, xtest.Token("canary-new"))
			defer x.Close()
			asked := 0
			token := func(ctx context.Context) (string, error) {
				asked++
				if asked%2 == 1 {
					return "canary-old", nil
				}
				return "canary-new", nil
			}
			s := start(t, nil, token, append(opts, coop)...)
			x.Post(xtest.Post{Text: "coop"})
			after(time.Minute)
			if st := s.Stats(); !st.Connected || st.Posts != 1 {
				t.Errorf("%s: %+v\n%s", path, st, s.logged())
			}
			x.Fail(path, 1, xtest.Response{Status: 503, Body: `{"title":"canary-old canary-new"}`})
			x.Disconnect(xtest.Clean)
			after(time.Minute)
			s.stop()
			if strings.Contains(s.logged(), "canary") {
				t.Errorf("a token is shown:\n%s", s.logged())
			}
		})
	}
	// The same token is not tried twice.
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t, xtest.Token("other"))
		defer x.Close()
		s := start(t, nil, xstream.Token("secret"), append(opts, coop)...)
		if err := <-s.err; err == nil || !strings.Contains(err.Error(), "put the app's current Bearer Token there") {
			t.Errorf("Stream() = %v", err)
		}
		if n := len(x.Requests()); n != 1 {
			t.Errorf("%d requests with a token that is refused", n)
		}
	})
}

// A source of tokens that fails for a time, such as a file that is just written
// anew, does not end a stream that has stood.
func TestATokenThatCantBeHadForATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t, xtest.Token("canary"))
		defer x.Close()
		path := filepath.Join(t.TempDir(), "bearer.txt")
		write := func(token string) {
			if err := os.WriteFile(path, []byte(token), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		write("canary\n")
		s := start(t, nil, xstream.TokenFile(path), append(opts, coop)...)
		after(time.Minute)
		write("")
		for range 3 {
			x.Disconnect(xtest.Clean)
			after(30 * time.Second)
		}
		if st := s.Stats(); !st.Connected || st.Connects != 4 {
			t.Errorf("without the token: %+v\n%s", st, s.logged())
		}
		const said = "the token can't be had now"
		if n := strings.Count(s.logged(), said); n != 1 || strings.Contains(s.logged(), "canary") {
			t.Errorf("it is said %d times that %s:\n%s", n, said, s.logged())
		}
		write("other")
		x.Disconnect(xtest.Clean)
		select {
		case err := <-s.err:
			if err == nil || !strings.Contains(err.Error(), path) {
				t.Errorf("Stream() = %v, want a refusal that names the file", err)
			}
		case <-time.After(time.Hour):
			t.Error("Stream goes on with a token that is refused")
		}
	})
}

// What people copy along with a token is taken off that of a source of the user's own
// too, and what can't be one refused.
func TestATokenOfTheUsersOwnSource(t *testing.T) {
	own := func(token string) xstream.TokenSource {
		return func(context.Context) (string, error) { return token, nil }
	}
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t, xtest.Token("canary"))
		defer x.Close()
		s := start(t, nil, own("bearer canary\n"), append(opts, coop)...)
		if !s.Stats().Connected {
			t.Errorf("not connected:\n%s", s.logged())
		}
		s.stop()
		s = start(t, nil, own("canary canary"), append(opts, coop)...)
		if err := <-s.err; err == nil || !strings.Contains(err.Error(), "no token: the token source holds characters") || strings.Contains(err.Error(), "canary") {
			t.Errorf("Stream() = %v", err)
		}
	})
}

// The token goes to X only: not where a redirect points, nor to another host.
func TestTokenGoesNowhereElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var hosts []string
		client := &http.Client{Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
			hosts = append(hosts, req.URL.Host+" "+req.Header.Get("Authorization"))
			return &http.Response{StatusCode: 307, Header: http.Header{"Location": {"https://elsewhere.example/"}}, Body: http.NoBody, Request: req}, nil
		})}
		s := start(t, nil, xstream.Token("secret"), xstream.HTTPClient(client), xstream.Sample())
		if err := <-s.err; err == nil || !strings.Contains(err.Error(), "redirects are not followed") {
			t.Errorf("Stream() = %v", err)
		}
		if _, err := s.ListRules(t.Context()); err == nil {
			t.Error("ListRules() followed a redirect")
		}
		for _, h := range hosts {
			if h != "api.x.com Bearer secret" {
				t.Errorf("a request to %s", h)
			}
		}
		if len(hosts) != 2 {
			t.Errorf("requests: %v", hosts)
		}
	})
}
