package wshub

import (
	"encoding/base64"
	"errors"
	"math"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

const (
	// maxID is the longest id that a viewer may come back with.
	maxID = 128

	// maxReplay asks for all that the hub has.
	maxReplay = math.MaxInt32
)

// ServeHTTP is the endpoint of the hub: it checks a WebSocket handshake and
// answers it. It returns when the viewer is connected; the connection is the
// hub's from then on.
func (h *Hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a, ok := h.admit(w, r, handshake)
	if !ok {
		return
	}
	// Package ws looks at the first value of a header only; what it is shown
	// is what was checked.
	checked := &http.Request{
		Method:     http.MethodGet,
		ProtoMajor: 1,
		ProtoMinor: 1,
		Host:       r.Host,
		Header: http.Header{
			"Upgrade":               {"websocket"},
			"Connection":            {"Upgrade"},
			"Sec-Websocket-Key":     {r.Header.Get("Sec-WebSocket-Key")},
			"Sec-Websocket-Version": {"13"},
		},
	}
	upgrader := ws.HTTPUpgrader{Timeout: writeTimeout}
	deflate := h.compress && offersDeflate(r.Header)
	if deflate {
		upgrader.Header = http.Header{"Sec-Websocket-Extensions": {deflateAnswer}}
	}
	conn, rw, _, err := upgrader.Upgrade(checked, w)
	if err != nil {
		h.figures.refused.Add(1)
		h.abandon(a.addr)
		if conn != nil {
			_ = conn.Close()
		}
		return
	}
	if c, ok := conn.(*net.TCPConn); ok {
		_ = c.SetWriteBuffer(sendBuffer)
	}
	// The buffers of net/http, 8 kB for each viewer, go with rw.
	early, _ := rw.Reader.Peek(rw.Reader.Buffered())
	v := h.newViewer(conn, a)
	if deflate {
		v.deflate = &h.deflate
	}
	h.join(v, slices.Clone(early))
}

// admission is what a request has been granted: a place, and where in the log it
// begins.
type admission struct {
	addr   string
	filter *filter
	first  cursor
	past   *past
	gap    *gap
}

// admit checks a request, keeps a place for its viewer, and says where it begins.
// If it can't, it answers the request. The protocol's own checks are further.
func (h *Hub) admit(w http.ResponseWriter, r *http.Request, further func(answer http.Header, r *http.Request) (status int, text string)) (a admission, ok bool) {
	query, status, text := h.check(w.Header(), r, further)
	since, replay := "", h.newest
	if status == 0 {
		var err error
		if a.filter, err = parseFilter(query); err == nil {
			since, replay, err = h.beginning(r, query)
		}
		switch {
		case err != nil:
			status, text = http.StatusBadRequest, err.Error()
		case h.authorize != nil && h.authorize(r) != nil:
			status, text = http.StatusForbidden, "not allowed"
		}
	}
	if status == 0 {
		a.addr = address(r.RemoteAddr)
		text = h.enter(a.addr)
		if text == "" && !h.knock(r.Context()) {
			h.abandon(a.addr)
			text = "the hub is closing" // or nobody is there to read this
		}
		if text != "" {
			w.Header().Set("Retry-After", "5")
			status = http.StatusServiceUnavailable
		}
	}
	if status != 0 {
		h.figures.refused.Add(1)
		http.Error(w, text, status)
		return admission{}, false
	}
	if since == "" {
		a.first = h.frames.newest(replay)
	} else {
		a.first, a.past, a.gap = h.resume(since)
	}
	return a, true
}

// beginning returns the Post behind which a viewer begins, or how many of the
// newest it is to get. A browser that comes back to events by itself does so at
// the same address: its header is newer.
func (h *Hub) beginning(r *http.Request, query url.Values) (since string, replay int, err error) {
	since, replay = query.Get("since"), h.newest
	if last := r.Header.Get("Last-Event-ID"); last != "" {
		since = last
	}
	if len(since) > maxID || !utf8.ValidString(since) {
		return "", 0, errors.New("since is no id")
	}
	if query.Has("replay") {
		n, err := strconv.ParseUint(query.Get("replay"), 10, 31)
		if err != nil {
			return "", 0, errors.New("replay is no number")
		}
		replay = int(n)
	}
	return since, replay, nil
}

// address returns what of an address counts for MaxPerAddress: a network of 64
// bits is one customer's, in IPv6.
func address(remote string) string {
	ap, err := netip.ParseAddrPort(remote)
	if err != nil {
		return remote
	}
	a := ap.Addr().Unmap().WithZone("")
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.String()
		}
	}
	return a.String()
}

// check looks at a request before anything is done for it. A status other than
// 0 refuses it.
func (h *Hub) check(answer http.Header, r *http.Request, further func(http.Header, *http.Request) (int, string)) (query url.Values, status int, text string) {
	if !h.served.Has(r.Host) {
		return nil, http.StatusMisdirectedRequest, "this host name is not served here"
	}
	if !h.originAllowed(r) {
		return nil, http.StatusForbidden, "pages of this origin may not read the feed"
	}
	if r.Method != http.MethodGet {
		answer.Set("Allow", http.MethodGet)
		return nil, http.StatusMethodNotAllowed, "this is a feed: GET only"
	}
	if further != nil {
		if status, text = further(answer, r); status != 0 {
			return nil, status, text
		}
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, http.StatusBadRequest, "invalid query"
	}
	return query, 0, ""
}

// handshake checks what RFC 6455, section 4.2.1 asks for.
func handshake(answer http.Header, r *http.Request) (status int, text string) {
	if r.ProtoMajor != 1 || r.ProtoMinor < 1 || !hasToken(r.Header, "Connection", "upgrade") || !hasToken(r.Header, "Upgrade", "websocket") {
		answer.Set("Upgrade", "websocket")
		answer.Set("Connection", "Upgrade")
		return http.StatusUpgradeRequired, "this is a WebSocket endpoint"
	}
	if v := r.Header.Values("Sec-WebSocket-Version"); len(v) != 1 || v[0] != "13" {
		answer.Set("Sec-WebSocket-Version", "13")
		return http.StatusUpgradeRequired, "want version 13 of WebSocket"
	}
	keys := r.Header.Values("Sec-WebSocket-Key")
	if len(keys) != 1 {
		return http.StatusBadRequest, "want one Sec-WebSocket-Key"
	}
	if key, err := base64.StdEncoding.DecodeString(keys[0]); err != nil || len(key) != 16 || len(keys[0]) != 24 {
		return http.StatusBadRequest, "invalid Sec-WebSocket-Key"
	}
	return 0, ""
}

// originAllowed reports whether the page that a request comes from may read the
// feed. A browser says Origin with each WebSocket: RFC 6455, section 10.2. It
// does not keep pages from connecting to other hosts by itself.
func (h *Hub) originAllowed(r *http.Request) bool {
	origins := r.Header.Values("Origin")
	if len(origins) == 0 || slices.Contains(h.origins, "*") {
		return true
	}
	if len(origins) > 1 {
		return false
	}
	if slices.ContainsFunc(h.origins, func(o string) bool { return strings.EqualFold(o, origins[0]) }) {
		return true
	}
	u, err := url.Parse(origins[0])
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, r.Host)
}

// hasToken reports whether a header with a list of tokens has this one.
func hasToken(h http.Header, name, token string) bool {
	for _, line := range h.Values(name) {
		for t := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(t), token) {
				return true
			}
		}
	}
	return false
}
