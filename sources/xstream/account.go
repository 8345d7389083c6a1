package xstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// A Connection is one that is live, of this program or of another with the same
// token.
type Connection struct {
	ID       string
	Endpoint string // X's name of it, such as "filtered_stream"
	Since    time.Time
	From     string // the address that X sees; empty if X does not say
}

// Connections asks X which connections are live. It costs nothing.
func (s *Source) Connections(ctx context.Context) ([]Connection, error) {
	var answer struct {
		Data []struct {
			ID          string    `json:"id"`
			Endpoint    string    `json:"endpoint_name"`
			ConnectedAt time.Time `json:"connected_at"`
			ClientIP    string    `json:"client_ip"`
		} `json:"data"`
	}
	query := url.Values{"status": {"active"}, "connection.fields": {"client_ip,connected_at,endpoint_name,id"}}
	if err := s.ask(ctx, "connections", http.MethodGet, connectionsPath, query, &answer); err != nil {
		return nil, err
	}
	var all []Connection
	for _, c := range answer.Data {
		all = append(all, Connection{s.clean(c.ID), s.clean(c.Endpoint), c.ConnectedAt, s.clean(c.ClientIP)})
	}
	return all, nil
}

// CloseConnections closes the live connections to an endpoint, such as
// "filtered_stream", or with "all" to every one, and returns how many it closed. A
// program that has its connection closed so opens another, as this one does, but
// waits for that as X's policy says.
func (s *Source) CloseConnections(ctx context.Context, endpoint string) (int, error) {
	if endpoint == "" || url.PathEscape(endpoint) != endpoint {
		return 0, fmt.Errorf("connections: %.64q is no name of an endpoint", endpoint)
	}
	var answer struct {
		Data struct {
			Closed int `json:"successful_kills"`
			Failed int `json:"failed_kills"`
		} `json:"data"`
	}
	err := s.ask(ctx, "connections", http.MethodDelete, connectionsPath+"/"+endpoint, nil, &answer)
	if err == nil && answer.Data.Failed > 0 {
		err = fmt.Errorf("connections: X did not close %d", answer.Data.Failed)
	}
	return answer.Data.Closed, err
}

// A Count is how many Posts there were in a time.
type Count struct {
	Posts        int64
	Since, Until time.Time
}

// CountRecent asks X how many Posts of the last 7 days match a query, which for a
// rule is its Value. X bills each request with $0.005, whatever it counts, takes
// queries of 512 characters, and does not know all operators of rules here.
func (s *Source) CountRecent(ctx context.Context, query string) (Count, error) {
	var answer struct {
		Data []struct {
			Start time.Time `json:"start"`
			End   time.Time `json:"end"`
			Count int64     `json:"tweet_count"`
			Posts int64     `json:"post_count"`
		} `json:"data"`
	}
	err := s.ask(ctx, "count", http.MethodGet, "/2/tweets/counts/recent", url.Values{"query": {query}, "granularity": {"day"}}, &answer)
	if err != nil {
		return Count{}, err
	}
	if len(answer.Data) == 0 {
		return Count{}, errors.New("count: X says nothing about it")
	}
	c := Count{Since: answer.Data[0].Start, Until: answer.Data[len(answer.Data)-1].End}
	for _, d := range answer.Data {
		c.Posts += max(d.Count, d.Posts)
	}
	if !c.Since.Before(c.Until) {
		return Count{}, errors.New("count: X does not say of what time it is")
	}
	return c, nil
}

// number is one that X sends as a text or as a number.
type number int64

func (n *number) UnmarshalJSON(b []byte) error {
	if len(b) > 1 && b[0] == '"' {
		b = b[1 : len(b)-1]
	}
	if v, err := strconv.ParseInt(string(b), 10, 64); err == nil {
		*n = number(v)
	}
	return nil // what is no number stays 0
}

// ask sends a request that brings no Posts, and decodes the answer into v, unless
// that is nil.
func (s *Source) ask(ctx context.Context, what, method, path string, query url.Values, v any) error {
	ctx, cancel := context.WithTimeout(ctx, rulesTimeout)
	defer cancel()
	u := s.base.JoinPath(path)
	u.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
	if err != nil {
		return err
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return fmt.Errorf("%s: %w", what, withoutURL(err))
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %w", what, s.refusal(resp.StatusCode, resp.Header, body))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if v == nil {
		return nil
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("%s: the answer is not as X gives it: %d bytes", what, len(body))
	}
	return nil
}
