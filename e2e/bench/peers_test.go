package main_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	twitterstream "github.com/fallenstedt/twitter-stream"
	"github.com/g8rswimmer/go-twitter/v2"
	"github.com/michimani/gotwi"
	"github.com/michimani/gotwi/tweet/filteredstream"
	"github.com/michimani/gotwi/tweet/filteredstream/types"
)

// request asks for the stream.
func (e errand) request() (io.ReadCloser, error) {
	resp, err := http.Get("http://" + e.Addr + "/2/tweets/search/stream")
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, errors.New(resp.Status)
	}
	return resp.Body, nil
}

// discard reads the response and throws it away: the limit, which no client on
// net/http can go below.
func discard(e errand) (r report, err error) {
	body, err := e.request()
	if err != nil {
		return r, err
	}
	defer body.Close()
	post, _, _ := one()
	n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, body, make([]byte, 64<<10))
	r.Posts = int(n) / len(post)
	return r, err
}

// encodingJSON is the loop that everybody writes: the standard decoder, and the
// few fields that one needs.
func encodingJSON(e errand) (r report, err error) {
	body, err := e.request()
	if err != nil {
		return r, err
	}
	defer body.Close()
	d := json.NewDecoder(body)
	for {
		var m struct {
			Data struct {
				ID   string `json:"id"`
				Text string `json:"text"`
			} `json:"data"`
			Rules []twitterRule `json:"matching_rules"`
		}
		switch err := d.Decode(&m); err {
		case nil:
			r.see(m.Data.ID)
		case io.EOF:
			return r, nil
		default:
			return r, err
		}
	}
}

type twitterRule struct {
	ID  string `json:"id"`
	Tag string `json:"tag"`
}

// gotwiClient reads as gotwi's own example does. Its host is fixed.
func gotwiClient(e errand) (r report, err error) {
	client, err := gotwi.NewClientWithAccessToken(&gotwi.NewClientWithAccessTokenInput{
		HTTPClient:  &http.Client{Transport: redirected{e.Addr, http.DefaultTransport}},
		AccessToken: "any",
	})
	if err != nil {
		return r, err
	}
	s, err := filteredstream.SearchStream(context.Background(), client, &types.SearchStreamInput{})
	if err != nil {
		return r, err
	}
	defer s.Stop()
	for s.Receive() {
		m, err := s.Read()
		if err != nil {
			return r, err
		}
		r.see(*m.Data.ID)
	}
	return r, nil
}

// redirected sends every request to addr.
type redirected struct {
	addr string
	by   http.RoundTripper
}

func (t redirected) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.URL.Scheme, req.URL.Host = "http", t.addr
	return t.by.RoundTrip(req)
}

// fallenstedt reads as its own example does: it decodes in the hook. Its host is
// fixed, and so is its client.
func fallenstedt(e errand) (r report, err error) {
	http.DefaultTransport = redirected{e.Addr, http.DefaultTransport}
	api := twitterstream.NewTwitterStream("any")
	type message struct {
		Data struct {
			ID   string `json:"id"`
			Text string `json:"text"`
		} `json:"data"`
		Rules []twitterRule `json:"matching_rules"`
	}
	api.Stream.SetUnmarshalHook(func(b []byte) (any, error) {
		var m message
		err := json.Unmarshal(b, &m)
		return m, err
	})
	if err := api.Stream.StartStream(nil); err != nil {
		return r, err
	}
	for m := range api.Stream.GetMessages() {
		switch {
		case m.Err == io.EOF:
			return r, nil
		case m.Err != nil:
			return r, m.Err
		}
		r.see(m.Data.(message).Data.ID)
	}
	return r, nil
}

type noAuth struct{}

func (noAuth) Add(*http.Request) {}

// goTwitter reads as go-twitter's own example does. That library spins when the
// stream is over, and drops Posts that nobody takes at once: the end is told by
// its transport, and what is in its channels then is still counted.
func goTwitter(e errand) (r report, err error) {
	over := make(chan struct{})
	client := &twitter.Client{Authorizer: noAuth{}, Host: "http://" + e.Addr, Client: &http.Client{Transport: ends{over}}}
	s, err := client.TweetSearchStream(context.Background(), twitter.TweetSearchStreamOpts{})
	if err != nil {
		return r, err
	}
	for {
		select {
		case m := <-s.Tweets():
			r.see(m.Raw.Tweets[0].ID)
			continue
		default:
		}
		select {
		case m := <-s.Tweets():
			r.see(m.Raw.Tweets[0].ID)
		case err := <-s.Err():
			return r, err
		case <-over:
			return r, nil
		}
	}
}

// ends closes over a moment after the body has ended, and keeps that end from the
// reader.
type ends struct{ over chan struct{} }

func (t ends) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err == nil {
		resp.Body = &endless{resp.Body, t.over}
	}
	return resp, err
}

type endless struct {
	io.ReadCloser
	over chan struct{}
}

func (b *endless) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 || err == nil {
		return n, nil
	}
	time.AfterFunc(100*time.Millisecond, func() { close(b.over) })
	select {}
}
