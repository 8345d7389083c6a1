package wshub

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/gobwas/ws"
)

const (
	// minDeflate is the shortest message that is worth it.
	minDeflate = 128

	// deflateAnswer agrees on RFC 7692 with each message compressed by itself, in
	// both directions: only then can all viewers have the same frame, and need
	// no memory of their own.
	deflateAnswer = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

	// deflateTail is what the end of a message leaves out: RFC 7692, section
	// 7.2.1.
	deflateTail = "\x00\x00\xff\xff"
)

// A deflater compresses the frames of chunks, each once, for all viewers that
// have agreed on it.
type deflater struct {
	mu  sync.Mutex
	w   *flate.Writer
	out bytes.Buffer
}

// deflated is the view of a chunk with its frames compressed.
type deflated struct {
	state atomic.Pointer[struct {
		of *byte // the memory of the view that it was made of
		*view
	}]
}

// view returns v with its frames compressed, and perhaps with more of them.
func (d *deflater) view(c *chunk, v *view) *view {
	of := &v.data[:1][0]
	if z := c.deflated.state.Load(); z != nil && z.of == of && len(z.index) >= len(v.index) {
		return z.view
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	z := &view{}
	// What was deleted has changed the memory: then all is made anew.
	if old := c.deflated.state.Load(); old != nil && old.of == of {
		if len(old.index) >= len(v.index) {
			return old.view
		}
		*z = *old.view
	}
	for i := len(z.index); i < len(v.index); i++ {
		f := v.index[i]
		z.data = d.append(z.data, v.bytes(i, i+1), v.payload(i))
		f.end = len(z.data)
		z.index = append(z.index, f)
	}
	c.deflated.state.Store(&struct {
		of *byte
		*view
	}{of, z})
	return z
}

// append adds a frame compressed, or as it is where that is shorter. The caller
// holds mu.
func (d *deflater) append(dst, frame, message []byte) []byte {
	if len(message) < minDeflate {
		return append(dst, frame...)
	}
	if d.w == nil {
		d.w, _ = flate.NewWriter(nil, flate.BestSpeed) // fails at other levels only
	}
	d.out.Reset()
	d.w.Reset(&d.out)
	_, _ = d.w.Write(message) // a buffer takes all
	_ = d.w.Flush()
	small := bytes.TrimSuffix(d.out.Bytes(), []byte(deflateTail))
	if len(small) >= len(message) {
		return append(dst, frame...)
	}
	begin := len(dst)
	dst = appendHeader(dst, ws.Header{OpCode: ws.OpText, Length: int64(len(small))})
	dst[begin] |= 0x40 // RSV1: RFC 7692, section 6
	return append(dst, small...)
}

var errInflate = errors.New("invalid compressed message")

// inflate returns a message that a viewer has compressed, or one byte more than
// a message may have.
func inflate(message []byte) ([]byte, error) {
	r := flate.NewReader(io.MultiReader(bytes.NewReader(message), strings.NewReader(deflateTail+"\x01\x00\x00\xff\xff")))
	out, err := io.ReadAll(io.LimitReader(r, maxMessage+1))
	if err != nil {
		return nil, errInflate
	}
	return out, nil
}

// offersDeflate reports whether a viewer offers what deflateAnswer can answer:
// RFC 7692, section 7.1.
func offersDeflate(h http.Header) bool {
	for _, line := range h.Values("Sec-WebSocket-Extensions") {
		for offer := range strings.SplitSeq(line, ",") {
			if acceptable(offer) {
				return true
			}
		}
	}
	return false
}

func acceptable(offer string) bool {
	name, rest, more := strings.Cut(offer, ";")
	if !strings.EqualFold(strings.TrimSpace(name), "permessage-deflate") {
		return false
	}
	if !more {
		return true
	}
	var seen []string
	for p := range strings.SplitSeq(rest, ";") {
		name, value, valued := strings.Cut(strings.TrimSpace(p), "=")
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.Trim(strings.TrimSpace(value), `"`)
		ok := false
		switch name {
		case "server_no_context_takeover", "client_no_context_takeover":
			ok = !valued
		case "server_max_window_bits":
			ok = value == "15" // package flate has no smaller window
		case "client_max_window_bits":
			ok = !valued || slices.Contains([]string{"8", "9", "10", "11", "12", "13", "14", "15"}, value)
		}
		if !ok || slices.Contains(seen, name) {
			return false
		}
		seen = append(seen, name)
	}
	return true
}
