package xstream

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// TakeOver closes the connection that is in the way when X answers
// TooManyConnections: mostly one of this program that X has not noticed the end
// of. It closes one of another program with the same token too, and asks X's
// Connections API for it. By default the source waits until X lets it in.
//
// Whoever was closed by force does not close back: of two programs that both take
// over, the one that came last keeps the stream.
func TakeOver() Option {
	return func(c *config) { c.takeOver = true }
}

const connectionsPath = "/2/connections"

// endpoint is what the Connections API calls the stream.
func (s *Source) endpoint() string {
	if s.sample {
		return "sample_stream"
	}
	return "filtered_stream"
}

// closeOther closes the live connections to the stream.
func (s *Source) closeOther(ctx context.Context) error {
	// Which they are is asked for the log only.
	var there struct {
		Data []struct {
			ConnectedAt time.Time `json:"connected_at"`
		} `json:"data"`
	}
	query := url.Values{"status": {"active"}, "endpoints": {s.endpoint()}}
	if err := s.ask(ctx, "connections", http.MethodGet, connectionsPath, query, &there); err != nil {
		s.logger.Debug("the list of connections can't be read", "error", s.clean(err.Error()))
	}
	if err := s.ask(ctx, "connections", http.MethodDelete, connectionsPath+"/"+s.endpoint(), nil, nil); err != nil {
		return err
	}
	args := []any{"count", len(there.Data)}
	if len(there.Data) > 0 && !there.Data[0].ConnectedAt.IsZero() {
		args = append(args, "since", there.Data[0].ConnectedAt)
	}
	s.logger.Warn("the stream is taken over: the connection in the way is closed", args...)
	return nil
}
