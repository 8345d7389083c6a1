package wshub

import (
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

const (
	// maxMessage is the longest message that a viewer may send.
	maxMessage = 4 << 10

	// A viewer may send so many frames at once, and so many a second.
	maxBurst = 500
	maxRate  = 50
)

// reader reads what a viewer sends, in a goroutine that lives as long as the
// viewer: it is the one to find out that a connection has ended. Its memory is
// small, because there are thousands of them and most read nothing but pongs.
type reader struct {
	v      *viewer
	in     []byte    // read, and not used yet
	pinged bool      // and nothing has come since
	frames float64   // that it may still send
	last   time.Time // when it sent the last
	head   [ws.MaxHeaderSize]byte
	buf    [256]byte
}

// A violation is a fault of the viewer's, and what it is told.
type violation struct {
	code ws.StatusCode
	text string
}

func (e *violation) Error() string { return e.text }

// errAnswered says that the viewer has sent its close frame.
var errAnswered = errors.New("closed by the viewer")

// run reads until the connection has ended.
func (r *reader) run() {
	v := r.v
	defer v.hub.running.Done()
	defer v.hub.leave(v)
	err := r.messages()
	var fault *violation
	switch {
	case errors.As(err, &fault):
		v.mu.Lock()
		v.cutOff(fault.code, fault.text, Misbehaved)
		v.mu.Unlock()
	case errors.Is(err, errAnswered):
		v.mu.Lock()
		over := v.byeSent
		v.mu.Unlock()
		if over {
			return
		}
	default:
		return // the connection has failed
	}
	// What comes now is not looked at any more, but read: closing a socket with
	// unread bytes in it would take back what the viewer has not read yet.
	for r.fill() == nil {
	}
}

// messages reads frames until one of them, or the connection, ends it.
func (r *reader) messages() error {
	var (
		kind       ws.OpCode
		message    []byte
		deflated   bool
		fragmented bool
	)
	for {
		h, err := ws.ReadHeaderBuffer(r, r.head[:0])
		switch {
		case errors.Is(err, ws.ErrHeaderLengthMSB), errors.Is(err, ws.ErrHeaderLengthUnexpected):
			return &violation{ws.StatusProtocolError, "invalid length"}
		case err != nil:
			return err
		}
		state := ws.StateServerSide
		if fragmented {
			state = state.Set(ws.StateFragmented)
		}
		// The first frame of a message says that it is compressed, where that
		// was agreed on: RFC 7692, section 6.
		first := h.OpCode == ws.OpText || h.OpCode == ws.OpBinary
		small := first && h.Rsv1() && r.v.deflate != nil
		if small {
			h.Rsv &^= 4
		}
		if err := ws.CheckHeader(h, state); err != nil {
			return &violation{ws.StatusProtocolError, err.Error()}
		}
		if !r.within() {
			return &violation{ws.StatusPolicyViolation, "too many frames"}
		}
		if h.OpCode.IsControl() {
			if err := r.control(h); err != nil {
				return err
			}
			continue
		}
		if first {
			kind, deflated = h.OpCode, small
		}
		if h.Length > int64(maxMessage-len(message)) {
			return &violation{ws.StatusMessageTooBig, "message too large"}
		}
		if message, err = r.payload(message, h); err != nil {
			return err
		}
		if fragmented = !h.Fin; fragmented {
			continue
		}
		if deflated {
			if message, err = inflate(message); err != nil {
				return &violation{ws.StatusInvalidFramePayloadData, err.Error()}
			}
			if len(message) > maxMessage {
				return &violation{ws.StatusMessageTooBig, "message too large"}
			}
		}
		if kind == ws.OpText {
			if !utf8.Valid(message) {
				return &violation{ws.StatusInvalidFramePayloadData, "invalid UTF-8"}
			}
			r.v.asks(message)
		}
		message = nil
	}
}

// asks follows a message of the viewer's. There is one: {"filter":"tag=news"},
// with what could stand in the query. What is none is not looked at. The answer
// says what is in force, and why if it is not what was asked for.
func (v *viewer) asks(message []byte) {
	var said struct {
		Filter *string `json:"filter"`
	}
	if json.Unmarshal(message, &said) != nil || said.Filter == nil {
		return
	}
	query, err := url.ParseQuery(strings.TrimPrefix(*said.Filter, "?"))
	var f *filter
	if err == nil {
		f, err = parseFilter(query)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.bye != nil {
		return
	}
	if err == nil {
		v.filter = f
	}
	v.answer(err)
}

// within counts a frame, and reports whether there are not too many.
func (r *reader) within() bool {
	now := time.Now()
	if r.last.IsZero() {
		r.frames = maxBurst
	}
	r.frames = min(maxBurst, r.frames+now.Sub(r.last).Seconds()*maxRate) - 1
	r.last = now
	return r.frames >= 0
}

// payload appends the payload of a frame to dst.
func (r *reader) payload(dst []byte, h ws.Header) ([]byte, error) {
	n := len(dst)
	dst = append(dst, make([]byte, h.Length)...)
	if _, err := io.ReadFull(r, dst[n:]); err != nil {
		return nil, err
	}
	ws.Cipher(dst[n:], h.Mask, 0)
	return dst, nil
}

// control follows a frame of control: RFC 6455, section 5.5.
func (r *reader) control(h ws.Header) error {
	payload, err := r.payload(nil, h)
	if err != nil {
		return err
	}
	v := r.v
	switch h.OpCode {
	case ws.OpPing:
		v.mu.Lock()
		defer v.mu.Unlock()
		if v.bye == nil || v.drain {
			v.pong = pongFrame(payload)
			v.wake()
		}
	case ws.OpClose:
		answer, err := closeAnswer(payload)
		if err != nil {
			return err
		}
		v.mu.Lock()
		defer v.mu.Unlock()
		v.answered = true
		v.end(answer)
		return errAnswered
	}
	return nil // a pong, asked for or not: that it came is enough
}

// closeAnswer returns the close frame that answers one with this payload: RFC
// 6455, sections 5.5.1 and 7.4.
func closeAnswer(payload []byte) ([]byte, error) {
	switch {
	case len(payload) == 0:
		return ws.CompiledClose, nil
	case len(payload) == 1:
		return nil, &violation{ws.StatusProtocolError, "invalid close code"}
	}
	code, reason := ws.ParseCloseFrameData(payload)
	switch {
	case code >= 1000 && code <= 1003, code >= 1007 && code <= 1014, code >= 3000 && code <= 4999:
	default:
		return nil, &violation{ws.StatusProtocolError, "invalid close code"}
	}
	if !utf8.ValidString(reason) {
		return nil, &violation{ws.StatusInvalidFramePayloadData, "invalid UTF-8"}
	}
	return closeFrame(code, ""), nil
}

// Read serves package ws.
func (r *reader) Read(p []byte) (int, error) {
	if len(r.in) == 0 {
		if err := r.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.in)
	r.in = r.in[n:]
	return n, nil
}

// fill waits for bytes. A viewer that is silent is sent a ping, and cut off when
// it does not answer.
func (r *reader) fill() error {
	v := r.v
	for {
		v.mu.Lock()
		deadline := v.deadline
		if deadline.IsZero() {
			deadline = time.Now().Add(v.hub.ping)
		}
		_ = v.conn.SetReadDeadline(deadline)
		v.mu.Unlock()
		n, err := v.conn.Read(r.buf[:])
		switch {
		case n > 0:
			r.in, r.pinged = r.buf[:n], false
			return nil
		case err == nil:
			continue
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return err
		}
		v.mu.Lock()
		switch {
		case !v.deadline.IsZero():
			if !time.Now().Before(v.deadline) {
				v.mu.Unlock()
				return err
			}
		case r.pinged:
			v.cutOff(statusTryAgainLater, "no answer to a ping", Silent)
		default:
			r.pinged, v.ping = true, true
			v.wake()
		}
		v.mu.Unlock()
	}
}
