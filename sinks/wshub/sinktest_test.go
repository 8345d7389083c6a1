package wshub_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sinktest"
)

// What the hub stores is what a viewer has got who was there from the beginning,
// and was not told to take away.
// The hub can't be broken from without: it waits for nobody.
func TestContract(t *testing.T) {
	sinktest.Run(t, func(t *testing.T) sinktest.Subject {
		hub := serve(t)
		v := &onlooker{hub: hub, client: hub.view("")}
		v.changed.L = &v.mu
		go v.look()
		return sinktest.Subject{Sink: hub.Hub, Stored: v.stored, Parallel: true}
	})
}

// onlooker is a viewer that keeps all it gets.
type onlooker struct {
	hub    *served
	client *client
	marks  int

	mu      sync.Mutex
	changed sync.Cond
	got     []string
	end     error
}

// mark begins a message that is not one of the suite's.
const mark = `{"mark":`

func (v *onlooker) look() {
	for {
		m, err := v.client.message()
		v.mu.Lock()
		if err != nil {
			v.end = err
			v.changed.Broadcast()
			v.mu.Unlock()
			return
		}
		var note struct{ Deleted []string }
		if json.Unmarshal([]byte(m), &note) == nil && note.Deleted != nil {
			v.got = slices.DeleteFunc(v.got, func(m string) bool {
				t, err := tweetstream.ParseTweet([]byte(m))
				return err == nil && slices.Contains(note.Deleted, t.ID)
			})
		} else {
			v.got = append(v.got, m)
		}
		v.changed.Broadcast()
		v.mu.Unlock()
	}
}

// stored sends a mark, and returns what has come before it.
func (v *onlooker) stored() (all []*tweetstream.Tweet, err error) {
	v.marks++
	last := fmt.Sprintf("%s%d}", mark, v.marks)
	if err := v.hub.Deliver(context.Background(), []*tweetstream.Tweet{{ID: last, Raw: []byte(last)}}); err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for v.end == nil && !slices.Contains(v.got[max(0, len(v.got)-1):], last) {
		v.changed.Wait()
	}
	for _, m := range v.got {
		if !strings.HasPrefix(m, mark) {
			all = append(all, &tweetstream.Tweet{Raw: []byte(m)})
		}
	}
	return all, v.end
}
