package sinktest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sinktest"
)

var errDown = errors.New("the store is down")

// store is the other end of a sink, which is kept by id and can be broken.
type store struct {
	mu     sync.Mutex
	order  []string
	tweets map[string]*tweetstream.Tweet
	broken error
	hung   chan struct{} // closed when it answers again; nil: it does
}

// enter waits while the store hangs.
func (s *store) enter(ctx context.Context) error {
	s.mu.Lock()
	hung := s.hung
	s.mu.Unlock()
	if hung != nil {
		select {
		case <-hung:
		case <-ctx.Done():
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.broken
}

func (s *store) put(t *tweetstream.Tweet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tweets == nil {
		s.tweets = map[string]*tweetstream.Tweet{}
	}
	if s.tweets[t.ID] == nil {
		s.order = append(s.order, t.ID)
	}
	s.tweets[t.ID] = t
}

func (s *store) remove(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tweets, id)
	s.order = slices.DeleteFunc(s.order, func(o string) bool { return o == id })
}

func (s *store) stored() ([]*tweetstream.Tweet, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*tweetstream.Tweet
	for _, id := range s.order {
		all = append(all, &tweetstream.Tweet{ID: id, Raw: s.tweets[id].Raw})
	}
	return all, nil
}

func (s *store) breakDown() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = errDown
}

func (s *store) hang() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hung = make(chan struct{})
}

func (s *store) mend() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = nil
	if s.hung != nil {
		close(s.hung)
		s.hung = nil
	}
}

func (s *store) subject(sink tweetstream.Sink) sinktest.Subject {
	return sinktest.Subject{Sink: sink, Stored: s.stored, Once: true, Parallel: true, Break: s.breakDown, Hang: s.hang, Mend: s.mend}
}

// good is a sink that keeps to the contract.
type good struct{ store }

func (g *good) Deliver(ctx context.Context, tweets []*tweetstream.Tweet) error {
	if err := g.enter(ctx); err != nil {
		return err
	}
	for _, t := range tweets {
		g.put(t)
	}
	return nil
}

func (g *good) Delete(ctx context.Context, ids []string) error {
	if err := g.enter(ctx); err != nil {
		return err
	}
	for _, id := range ids {
		g.remove(id)
	}
	return nil
}

// picky refuses some Posts for good, and names each.
type picky struct{ store }

func (p *picky) Deliver(ctx context.Context, tweets []*tweetstream.Tweet) error {
	var failed []error
	for _, t := range tweets {
		err := p.enter(ctx)
		if err == nil && (strings.Contains(string(t.Raw), `\u0000`) || len(t.Raw) > 10_000) {
			err = tweetstream.Permanent(fmt.Errorf("%d bytes are refused", len(t.Raw)))
		}
		if err != nil {
			failed = append(failed, &tweetstream.TweetError{ID: t.ID, Err: err})
			continue
		}
		p.put(t)
	}
	return errors.Join(failed...)
}
