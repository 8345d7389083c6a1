package httpsink_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sinktest"
)

func TestContract(t *testing.T) {
	sinktest.Run(t, func(t *testing.T) sinktest.Subject { return newTable(t).subject() })
}

// A receiver that refuses what is no JSON, and more than it wants to read at once.
func TestContractWithAReceiverThatRefuses(t *testing.T) {
	sinktest.Run(t, func(t *testing.T) sinktest.Subject {
		tab := newTable(t)
		tab.strict = true
		return tab.subject()
	})
}

// table is a receiver that goes by the Posts' ids, and quotes what it was sent in
// its complaints.
type table struct {
	t      *testing.T
	url    string
	strict bool

	mu     sync.Mutex
	order  []string
	rows   map[string][]byte
	broken bool
	hung   chan struct{} // closed when it answers again; nil: it does
}

func newTable(t *testing.T) *table {
	tab := &table{t: t, rows: map[string][]byte{}}
	server := httptest.NewServer(tab)
	t.Cleanup(server.Close)
	tab.url = server.URL
	return tab
}

func (tab *table) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	tab.mu.Lock()
	hung := tab.hung
	tab.mu.Unlock()
	if hung != nil {
		select {
		case <-hung:
		case <-r.Context().Done():
		}
		return
	}
	tab.mu.Lock()
	defer tab.mu.Unlock()
	if tab.broken {
		http.Error(w, fmt.Sprintf("no room for %.300s", body), http.StatusServiceUnavailable)
		return
	}
	messages := [][]byte{body}
	if r.Header.Get("Content-Type") == "application/x-ndjson" {
		messages = bytes.Split(bytes.TrimSuffix(body, []byte("\n")), []byte("\n"))
	}
	if tab.strict && len(body) > 1<<20 {
		http.Error(w, "too much", http.StatusRequestEntityTooLarge)
		return
	}
	for _, m := range messages {
		if tab.strict && !json.Valid(m) {
			http.Error(w, fmt.Sprintf("what is %.300s?", m), http.StatusUnprocessableEntity)
			return
		}
	}
	for _, m := range messages {
		key := string(m)
		if t, err := tweetstream.ParseTweet(m); err == nil {
			key = t.ID
		}
		if tab.rows[key] == nil {
			tab.order = append(tab.order, key)
		}
		tab.rows[key] = m
	}
}

func (tab *table) subject() sinktest.Subject {
	set := func(broken bool, hung chan struct{}) {
		tab.mu.Lock()
		defer tab.mu.Unlock()
		if tab.hung != nil {
			close(tab.hung)
		}
		tab.broken, tab.hung = broken, hung
	}
	return sinktest.Subject{
		Sink: sink(tab.t, tab.url),
		Stored: func() (all []*tweetstream.Tweet, _ error) {
			tab.mu.Lock()
			defer tab.mu.Unlock()
			for _, key := range tab.order {
				all = append(all, &tweetstream.Tweet{Raw: tab.rows[key]})
			}
			return all, nil
		},
		Once:     true,
		Parallel: true,
		Break:    func() { set(true, nil) },
		Hang:     func() { set(false, make(chan struct{})) },
		Mend:     func() { set(false, nil) },
	}
}
