package httpsink

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/tweetstream-go/tweetstream/internal/webhook"
)

// ours are the headers that the sink or the client of net/http sets. One fixed
// Idempotency-Key would make a receiver drop all Posts but the first.
var ours = []string{
	"Connection", "Content-Encoding", "Content-Length", "Content-Type", "Expect", "Host", "Idempotency-Key",
	"Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "X-Idempotency-Key",
	webhook.ID, webhook.Timestamp, webhook.Signature,
}

// target is where requests go.
type target struct {
	url     string      // without user and password
	host    string      // of it, without the port
	shown   string      // in errors
	header  http.Header // of every request
	secrets []string    // that no error may show
}

// newTarget checks the URL and the headers.
func newTarget(raw string, headers [][2]string) (*target, error) {
	var errs []error
	bad := func(option, format string, args ...any) {
		errs = append(errs, fmt.Errorf("httpsink: %s: %s", option, fmt.Sprintf(format, args...)))
	}
	t := &target{header: http.Header{"User-Agent": {"tweetstream"}}}
	u, err := parseURL(raw)
	if err != nil {
		return nil, errors.Join(append(errs, err)...)
	}
	if u.User != nil {
		password, _ := u.User.Password()
		t.header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+password)))
		t.hide(password, u.User.Username())
		u.User = nil
	}
	seen := map[string]bool{}
	for i, h := range headers {
		name, value := http.CanonicalHeaderKey(h[0]), h[1]
		switch {
		case !isToken(h[0]):
			bad("Header", "name %d, %.64q, is no name of a header", i+1, h[0])
		case slices.Contains(ours, name):
			bad("Header", "%s can't be set", name)
		case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }):
			bad("Header", "the value of %s has control characters", name)
		case name == "Authorization" && t.header.Get(name) != "":
			bad("Header", "Authorization is given twice, here or in the URL")
		case !seen[name]:
			t.header[name] = []string{value} // User-Agent too
		default:
			t.header.Add(name, value)
		}
		seen[name] = true
	}
	if u.Scheme == "http" && !loopback(u.Hostname()) {
		for _, name := range []string{"Authorization", "Cookie", "Proxy-Authorization"} {
			if t.header.Get(name) != "" {
				bad("New", "credentials (%s) go over https only, or over http to this machine itself", name)
			}
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	t.url, t.host, t.shown = u.String(), u.Hostname(), show(u)
	for name, values := range t.header {
		if name == "User-Agent" {
			continue
		}
		for _, v := range values {
			_, credentials, _ := strings.Cut(v, " ")
			t.hide(v, credentials)
		}
	}
	for _, values := range u.Query() {
		t.hide(values...)
	}
	t.hide(u.RawQuery)
	for segment := range strings.SplitSeq(u.EscapedPath(), "/") {
		if len(segment) >= longSegment {
			t.hide(segment)
		}
	}
	return t, nil
}

// parseURL's errors do not show the URL.
func parseURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Opaque != "" || u.Scheme != "" && u.Hostname() == "":
		return nil, errors.New("httpsink: New: this is not a URL of a server")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("httpsink: New: want a URL that begins with http:// or https://")
	case u.Fragment != "":
		return nil, errors.New("httpsink: New: the URL has a fragment, which is never sent")
	}
	return u, nil
}

// shortSecret is the length from which on a value is looked for in texts: a
// shorter one is no secret, and might be any word.
const shortSecret = 4

// hide notes secrets, in the forms in which a text may hold them. The longest
// come first, for one may be a part of another.
func (t *target) hide(secrets ...string) {
	for _, s := range secrets {
		if len(s) < shortSecret {
			continue
		}
		quoted, _ := json.Marshal(s)
		t.secrets = append(t.secrets, s, url.QueryEscape(s), url.PathEscape(s), string(quoted[1:len(quoted)-1]))
	}
	slices.SortFunc(t.secrets, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	t.secrets = slices.Compact(t.secrets)
}

// longSegment is the length from which on an element of a path may be a secret.
const longSegment = 20

// show returns what errors show of a URL.
func show(u *url.URL) string {
	segments := strings.Split(u.EscapedPath(), "/")
	for i, s := range segments {
		if len(s) >= longSegment {
			segments[i] = "[…]"
		}
	}
	return u.Scheme + "://" + u.Host + strings.Join(segments, "/")
}

// isToken reports whether s may be a header's name, see RFC 9110, 5.6.2.
func isToken(s string) bool {
	for _, r := range s {
		if !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("!#$%&'*+-.^_`|~", r)) {
			return false
		}
	}
	return s != ""
}

func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}
