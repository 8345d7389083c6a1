package xstream

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"
)

// The reasons by which [Stats] counts ends.
const (
	endDial        = "dial"        // no connection, or no answer on it
	endRefused     = "refused"     // an answer other than 200
	endNoStream    = "no_stream"   // an answer 200 that was no stream: an HTML page, one error, nothing at all
	endClosed      = "closed"      // X closed it in good order, and said nothing
	endOperational = "operational" // X said why it closed it
	endReset       = "reset"       // the network, or X in mid-message
	endStall       = "stall"       // not a byte for longer than keep-alives take
)

// endOf returns the reason why a connection, or an attempt, ended with err; "" if
// that was our own doing.
func endOf(ctx context.Context, err error, accepted bool) string {
	var refused *Error
	switch {
	case ctx.Err() != nil, errors.As(err, new(*emitError)), errors.As(err, new(*tokenError)), errors.Is(err, errSpent):
		return ""
	case errors.Is(err, errStall):
		return endStall
	case errors.As(err, new(*noStreamError)):
		return endNoStream
	case errors.As(err, new(*disconnectError)):
		return endOperational
	case errors.As(err, &refused) && accepted: // told in the stream
		return endOperational
	case errors.As(err, &refused):
		return endRefused
	case errors.Is(err, errEnd):
		return endClosed
	case accepted:
		return endReset
	}
	return endDial
}

var errStall = errors.New("not a byte for longer than X's keep-alives allow")

// errEnd is the end of a connection that X closed in good order.
var errEnd = errors.New("connection closed by X")

// A noStreamError is an answer 200 that is no stream. It is waited for as for a
// refusal, for coming again at once brings the same.
type noStreamError struct{ what string }

func (e *noStreamError) Error() string { return "an answer 200 that is no stream: " + e.what }

// A disconnectError is the end of a connection that X gave a reason for.
type disconnectError struct {
	kind string // disconnect_type
	text string
}

func (e *disconnectError) Error() string { return errEnd.Error() + ": " + e.text }

// slowly reports whether coming again at once would bring the same end.
func (e *disconnectError) slowly() bool {
	switch e.kind {
	case forceDisconnect, "InvalidRules", "ClientApplicationStateDegraded":
		return true
	}
	return false
}

const forceDisconnect = "ForceDisconnect"

// advice says what to do about it; "" if that is nothing but to connect again.
func (e *disconnectError) advice() string {
	switch e.kind {
	case "SlowReader":
		return "this program has read too slowly: see what holds back its log (a slow disk under the journal, transforms, too little CPU), or let the rules match less"
	case forceDisconnect:
		return "somebody has closed this connection: another program with this token that took the stream over, or a person; X allows one connection"
	case "InvalidRules":
		return "X finds the rules of this app invalid: list them, and delete what is wrong"
	case "ClientApplicationStateDegraded":
		return "X finds this app in a bad state: look at it in X's developer console"
	}
	return ""
}

// disconnects reports whether X says by p that it closes the connection.
func (p *problem) disconnects() bool {
	return p.DisconnectType != "" || strings.HasSuffix(p.Type, "/operational-disconnect")
}

// told returns the end of a connection whose last message was p.
func (c *connection) told(p problem) error {
	text := c.clean(strings.TrimSpace(fmt.Sprintf("%s %s", p.Title, p.DisconnectType)))
	if p.Detail != "" {
		text = strings.TrimSpace(text + ": " + c.clean(strings.TrimSuffix(p.Detail, ".")))
	}
	header := http.Header{"Date": {c.clock().Format(http.TimeFormat)}}
	refused := c.refused(http.StatusTooManyRequests, header, p)
	if credits(refused) {
		refused = c.refused(http.StatusPaymentRequired, header, p)
	}
	switch {
	case refused.money(), refused.connectionIssue == tooManyConnections:
		return refused
	case p.disconnects():
		return &disconnectError{c.clean(p.DisconnectType), text}
	case !c.brought:
		return &noStreamError{text}
	}
	return fmt.Errorf("%w: %s", errEnd, text)
}

// isStream refuses an answer whose header says that it is something else.
func isStream(header http.Header) error {
	if isHTML(header) {
		return &noStreamError{"an HTML page, from a proxy perhaps"}
	}
	switch encoding := header.Get("Content-Encoding"); strings.ToLower(encoding) {
	case "", "identity", "gzip":
		return nil
	default:
		return &noStreamError{fmt.Sprintf("nobody asked for the encoding %.32q", encoding)}
	}
}

func isHTML(header http.Header) bool {
	kind, _, _ := mime.ParseMediaType(header.Get("Content-Type"))
	return kind == "text/html" || kind == "application/xhtml+xml"
}
