package xstream

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"
)

// newClient returns the client of all requests: theirs, or a new one, with the
// token added to each request and no redirect followed.
func (s *Source) newClient(theirs *http.Client) *http.Client {
	c := &http.Client{}
	if theirs != nil {
		*c = *theirs
	}
	if c.Transport == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.DialContext = (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}).DialContext
		t.TLSHandshakeTimeout = 10 * time.Second
		t.DisableCompression = true // the stream asks by itself, see Gzip
		// HTTP/2 would open the next stream on the connection whose stream has
		// just been found dead, and brings nothing to one long answer. With HTTP/1
		// each has a connection of its own.
		t.ForceAttemptHTTP2 = false
		t.Protocols = new(http.Protocols)
		t.Protocols.SetHTTP1(true)
		t.TLSClientConfig, t.TLSNextProto = nil, nil // the clone's offer HTTP/2 all the same
		c.Transport = t
	}
	c.Transport = &authorized{s, c.Transport}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c
}

// authorized adds the current token to requests to X, and to no others.
type authorized struct {
	*Source
	next http.RoundTripper
}

func (a *authorized) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != a.base.Scheme || req.URL.Host != a.base.Host {
		return nil, fmt.Errorf("a request to %s instead of %s gets no token", req.URL.Host, a.base.Host)
	}
	token, err := a.current(req.Context())
	if err != nil {
		return nil, err
	}
	resp, err := a.send(req, token)
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		return resp, err
	}
	// The token may just have been changed: it is asked for once more.
	changed, err := a.current(req.Context())
	if err != nil || changed == token || req.Body != nil && req.GetBody == nil {
		return resp, nil
	}
	if req.GetBody != nil {
		body, err := req.GetBody()
		if err != nil {
			return resp, nil
		}
		req = req.Clone(req.Context())
		req.Body = body
	}
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
	resp.Body.Close()
	return a.send(req, changed)
}

func (a *authorized) send(req *http.Request, token string) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("User-Agent", "tweetstream")
	var resp *http.Response
	var err error
	if strings.HasSuffix(req.URL.Path, "/stream") {
		resp, err = a.attempts.do(a.next, req) // also if it is the second within a 401
	} else {
		resp, err = a.next.RoundTrip(req)
	}
	if err == nil && resp.StatusCode == http.StatusOK {
		a.budget.setClock(now(resp.Header))
	}
	return resp, err
}

// CloseIdleConnections makes a client of the caller's, whose transport may speak
// HTTP/2, leave a dead connection.
func (a *authorized) CloseIdleConnections() {
	if c, ok := a.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// A tokenError is the failure of a TokenSource, which no retry mends.
type tokenError struct{ err error }

func (e *tokenError) Error() string { return "no token: " + e.err.Error() }
func (e *tokenError) Unwrap() error { return e.err }

// current asks for the token, and keeps it to take it out of texts. A source that
// fails once it has given a token does not end the stream: a file may just be
// written anew, or a vault be down. If that token is no good any more X says so.
func (s *Source) current(ctx context.Context) (string, error) {
	token, err := s.token(context.WithValue(ctx, openFile{}, s.openFile))
	if err == nil {
		// A source of the user's own may give what the others clean.
		if token, err = clean(token); err != nil {
			err = fmt.Errorf("%s %w", s.token.name(), err)
		}
	}
	if err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		last, _ := s.secret.Load().(string)
		if last == "" {
			return "", &tokenError{err}
		}
		if !s.saidToken.Swap(true) {
			s.logger.Warn("the token can't be had now: the one of before is used", "error", s.clean(err.Error()))
		}
		return last, nil
	}
	s.saidToken.Store(false)
	if old, _ := s.secret.Swap(token).(string); old != token {
		s.former.Store(old)
	}
	return token, nil
}

// openFile says once that others can read a file that holds the token.
func (s *Source) openFile(path string, mode os.FileMode) {
	if s.saidOpen.CompareAndSwap(false, true) {
		s.logger.Warn("other users of this machine can read the token: run chmod 600 on its file", "file", path, "mode", mode.String())
	}
}

// checkBase refuses a base URL that would send the token in the clear.
func checkBase(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "":
		return nil, fmt.Errorf("not a URL of a server")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("want no more than scheme, host and path")
	case u.Scheme == "https", u.Scheme == "http" && loopback(u.Hostname()):
		return u, nil
	case u.Scheme == "http":
		return nil, fmt.Errorf("a bearer token goes over https only, or http to this machine itself")
	}
	return nil, fmt.Errorf("want https")
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}
