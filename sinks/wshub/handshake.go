package wshub

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gobwas/ws"
)

// ServeHTTP is the endpoint of the hub: it checks a WebSocket handshake and
// answers it. It returns when the viewer is connected; the connection is the
// hub's from then on.
func (h *Hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, status, text := h.check(w.Header(), r)
	var first cursor
	if status == 0 {
		var ok bool
		if first, ok = h.enter(); !ok {
			w.Header().Set("Retry-After", "5")
			status, text = http.StatusServiceUnavailable, "no room for another viewer"
		}
	}
	if status != 0 {
		h.figures.refused.Add(1)
		http.Error(w, text, status)
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
	conn, rw, _, err := ws.HTTPUpgrader{Timeout: writeTimeout}.Upgrade(checked, w)
	if err != nil {
		h.figures.refused.Add(1)
		h.abandon()
		if conn != nil {
			_ = conn.Close()
		}
		return
	}
	// The buffers of net/http, 8 kB for each viewer, go with rw.
	early, _ := rw.Reader.Peek(rw.Reader.Buffered())
	h.join(conn, slices.Clone(early), f, first)
}

// check looks at a request before anything is done for it. A status other than
// 0 refuses it.
func (h *Hub) check(answer http.Header, r *http.Request) (f *filter, status int, text string) {
	if !h.served.Has(r.Host) {
		return nil, http.StatusMisdirectedRequest, "this host name is not served here"
	}
	if !h.originAllowed(r) {
		return nil, http.StatusForbidden, "pages of this origin may not read the feed"
	}
	if r.Method != http.MethodGet {
		answer.Set("Allow", http.MethodGet)
		return nil, http.StatusMethodNotAllowed, "this is a WebSocket endpoint: GET only"
	}
	// RFC 6455, section 4.2.1.
	if r.ProtoMajor != 1 || r.ProtoMinor < 1 || !hasToken(r.Header, "Connection", "upgrade") || !hasToken(r.Header, "Upgrade", "websocket") {
		answer.Set("Upgrade", "websocket")
		answer.Set("Connection", "Upgrade")
		return nil, http.StatusUpgradeRequired, "this is a WebSocket endpoint"
	}
	if v := r.Header.Values("Sec-WebSocket-Version"); len(v) != 1 || v[0] != "13" {
		answer.Set("Sec-WebSocket-Version", "13")
		return nil, http.StatusUpgradeRequired, "want version 13 of WebSocket"
	}
	keys := r.Header.Values("Sec-WebSocket-Key")
	if len(keys) != 1 {
		return nil, http.StatusBadRequest, "want one Sec-WebSocket-Key"
	}
	if key, err := base64.StdEncoding.DecodeString(keys[0]); err != nil || len(key) != 16 || len(keys[0]) != 24 {
		return nil, http.StatusBadRequest, "invalid Sec-WebSocket-Key"
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, http.StatusBadRequest, "invalid query"
	}
	if f, err = parseFilter(query); err != nil {
		return nil, http.StatusBadRequest, err.Error()
	}
	if h.authorize != nil && h.authorize(r) != nil {
		return nil, http.StatusForbidden, "not allowed"
	}
	return f, 0, ""
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
