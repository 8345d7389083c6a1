package sinktest_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sinktest"
)

// broken is good but for what its functions do.
type broken struct {
	good
	deliver func(ctx context.Context, b *broken, tweets []*tweetstream.Tweet) error
	delete  func(ctx context.Context, b *broken, ids []string) error
	options []tweetstream.SinkOption

	mu   sync.Mutex
	kept []*tweetstream.Tweet
}

func (b *broken) Deliver(ctx context.Context, tweets []*tweetstream.Tweet) error {
	if b.deliver == nil {
		return b.good.Deliver(ctx, tweets)
	}
	return b.deliver(ctx, b, tweets)
}

func (b *broken) Delete(ctx context.Context, ids []string) error {
	if b.delete == nil {
		return b.good.Delete(ctx, ids)
	}
	return b.delete(ctx, b, ids)
}

func (b *broken) Defaults() []tweetstream.SinkOption { return b.options }

// Each fault is found by the checks that are there for it, and by no others than
// those that it spoils too. The first check of the list must say it in the words
// given.
func TestBrokenSinks(t *testing.T) {
	for _, c := range []struct {
		name    string
		sink    *broken
		subject func(*broken, *sinktest.Subject)
		checks  []string
		says    string
	}{{
		name:   "options that New refuses",
		sink:   &broken{options: []tweetstream.SinkOption{tweetstream.Batch(0, 0)}},
		checks: []string{"defaults", "a run", "a run that stops"},
		says:   "Batch: want 1 to",
	}, {
		name:   "an option that is nil",
		sink:   &broken{options: []tweetstream.SinkOption{nil}},
		checks: []string{"defaults", "a run", "a run that stops"},
		says:   "tweetstream.New refuses the sink: tweetstream: sink \"subject\": WithSink: an option is nil.",
	}, {
		name: "stores the first 100 of a batch",
		sink: &broken{deliver: func(ctx context.Context, b *broken, tweets []*tweetstream.Tweet) error {
			return b.good.Deliver(ctx, tweets[:min(len(tweets), 100)])
		}},
		checks: []string{"delivers all"},
		says:   "After a batch of 1000, 900 of 1103 Posts are not stored: 1900000000000000204, ",
	}, {
		name: "stores a batch from its end",
		sink: &broken{deliver: func(ctx context.Context, b *broken, tweets []*tweetstream.Tweet) error {
			slices.Reverse(tweets)
			return b.good.Deliver(ctx, tweets)
		}},
		checks: []string{"delivers all", "outage", "again", "deletes"},
		says:   "After a batch of 2, what is stored is out of order",
	}, {
		name: "changes bytes",
		sink: &broken{deliver: func(ctx context.Context, b *broken, tweets []*tweetstream.Tweet) error {
			if err := b.good.Deliver(ctx, tweets); err != nil {
				return err
			}
			for _, t := range tweets {
				b.put(t.WithRaw([]byte(strings.ReplaceAll(string(t.Raw), "☕", "?"))))
			}
			return nil
		}},
		checks: []string{"delivers all", "again", "context done", "context ends a hang", "deletes", "hostile Posts", "keeps no slice", "outage", "parallel", "a run", "a run that stops"},
		says:   "Post 1900000000000000001 is stored with other bytes: the first 204 of 363 bytes are the same",
	}, {
		name: "keeps the slice",
		sink: &broken{deliver: func(ctx context.Context, b *broken, tweets []*tweetstream.Tweet) error {
			if err := b.enter(ctx); err != nil {
				return err
			}
			b.mu.Lock()
			defer b.mu.Unlock()
			old := b.kept
			b.kept = tweets // stored with the next batch
			for _, t := range old {
				if t != nil {
					b.put(t)
				}
			}
			return nil
		}},
		subject: func(b *broken, s *sinktest.Subject) {
			s.Stored = func() ([]*tweetstream.Tweet, error) {
				b.mu.Lock()
				defer b.mu.Unlock()
				for _, t := range b.kept {
					if t != nil {
						b.put(t)
					}
				}
				b.kept = nil
				return b.stored()
			}
			s.Parallel = false
		},
		checks: []string{"keeps no slice", "deletes", "a run that stops"},
		says:   "put into the slice after Deliver had returned",
	}, {
		name: "changes tweets",
		sink: &broken{deliver: func(ctx context.Context, b *broken, tweets []*tweetstream.Tweet) error {
			tweets[0].Recovered = true
			return b.good.Deliver(ctx, tweets)
		}},
		checks: []string{"changes no tweet"},
		says:   "Deliver has changed tweet 1900000000000000001",
	}, {
		name: "changes the rules",
		sink: &broken{deliver: func(ctx context.Context, b *broken, tweets []*tweetstream.Tweet) error {
			tweets[0].Rules[0].Tag = "mine"
			return b.good.Deliver(ctx, tweets)
		}},
		checks: []string{"changes no tweet"},
		says:   "Deliver has changed tweet",
	}, {
		name: "fails on what is there already",
		sink: &broken{deliver: func(ctx context.Context, b *broken, tweets []*tweetstream.Tweet) error {
			for _, t := range tweets {
				if b.tweets[t.ID] != nil {
					return errors.New("duplicate key")
				}
			}
			return b.good.Deliver(ctx, tweets)
		}},
		subject: func(_ *broken, s *sinktest.Subject) { s.Parallel = false },
		checks:  []string{"again"},
		says:    "Deliver of the same batch again fails: duplicate key",
	}, {
		name: "drops the batch in which something is there already",
		sink: &broken{deliver: func(ctx context.Context, b *broken, tweets []*tweetstream.Tweet) error {
			if b.tweets[tweets[0].ID] != nil {
				return nil
			}
			return b.good.Deliver(ctx, tweets)
		}},
		subject: func(_ *broken, s *sinktest.Subject) { s.Parallel = false },
		checks:  []string{"again"},
		says:    "After batches that came again, 5 of 17 Posts are not stored",
	}, {
		name: "stores twice what comes twice",
		sink: &broken{deliver: func(ctx context.Context, b *broken, tweets []*tweetstream.Tweet) error {
			if err := b.good.Deliver(ctx, tweets); err != nil {
				return err
			}
			b.mu.Lock()
			defer b.mu.Unlock()
			b.kept = append(b.kept, tweets...)
			return nil
		}},
		subject: func(b *broken, s *sinktest.Subject) {
			s.Stored = func() ([]*tweetstream.Tweet, error) {
				b.mu.Lock()
				defer b.mu.Unlock()
				return slices.DeleteFunc(slices.Clone(b.kept), func(t *tweetstream.Tweet) bool { return b.tweets[t.ID] == nil }), nil
			}
		},
		checks: []string{"again", "parallel"},
		says:   "Posts are stored more than once: 1900000000000000001, ",
	}, {
		name: "returns nil at once when ctx is done",
		sink: &broken{deliver: func(ctx context.Context, b *broken, tweets []*tweetstream.Tweet) error {
			err := b.good.Deliver(ctx, tweets)
			if ctx.Err() != nil {
				return nil
			}
			return err
		}},
		checks: []string{"context done", "context ends a hang"},
		says:   "After Deliver had returned nil though its context was done, 10 of 10 Posts are not stored",
	}, {
		name: "takes the end of ctx for the Post's fault",
		sink: &broken{deliver: func(ctx context.Context, b *broken, tweets []*tweetstream.Tweet) error {
			err := b.good.Deliver(ctx, tweets)
			if ctx.Err() != nil {
				return fmt.Errorf("wrapped: %w", tweetstream.Permanent(err))
			}
			return err
		}},
		checks: []string{"context done", "context ends a hang"},
		says:   "Deliver with a context that is done returns a Permanent error",
	}, {
		name: "ignores ctx",
		sink: &broken{deliver: func(ctx context.Context, b *broken, tweets []*tweetstream.Tweet) error {
			return b.good.Deliver(context.Background(), tweets)
		}},
		checks: []string{"context ends a hang"},
		says:   "Deliver has not returned 5s after its context was done",
	}, {
		name: "Delete ignores ctx",
		sink: &broken{delete: func(ctx context.Context, b *broken, ids []string) error {
			return b.good.Delete(context.Background(), ids)
		}},
		checks: []string{"context ends a hang"},
		says:   "Delete has not returned",
	}, {
		name: "swallows errors",
		sink: &broken{deliver: func(ctx context.Context, b *broken, tweets []*tweetstream.Tweet) error {
			if err := b.good.Deliver(ctx, tweets); !errors.Is(err, errDown) {
				return err
			}
			return nil
		}},
		checks: []string{"outage", "a run"},
		says:   "After Deliver had returned nil though the other end was broken, 20 of 20 Posts are not stored",
	}, {
		name: "swallows errors, unseen",
		sink: &broken{deliver: func(ctx context.Context, b *broken, tweets []*tweetstream.Tweet) error {
			if err := b.good.Deliver(ctx, tweets); !errors.Is(err, errDown) {
				return err
			}
			return nil
		}},
		subject: func(_ *broken, s *sinktest.Subject) { s.Stored = nil },
		checks:  []string{"outage"},
		says:    "A call returns nil, though the other end is broken",
	}, {
		name: "takes an outage for the Posts' fault",
		sink: &broken{deliver: func(ctx context.Context, b *broken, tweets []*tweetstream.Tweet) error {
			var failed []error
			if err := b.good.Deliver(ctx, tweets); err != nil {
				for _, t := range tweets {
					failed = append(failed, tweetstream.Permanent(&tweetstream.TweetError{ID: t.ID, Err: err}))
				}
			}
			return errors.Join(failed...)
		}},
		checks: []string{"outage", "a run", "context done", "context ends a hang"},
		says:   "Deliver to an end that is broken returns a Permanent error",
	}, {
		name: "doubles after an outage",
		sink: &broken{deliver: func(ctx context.Context, b *broken, tweets []*tweetstream.Tweet) error {
			err := b.good.Deliver(ctx, tweets)
			b.mu.Lock()
			defer b.mu.Unlock()
			if errors.Is(err, errDown) {
				b.kept = append(b.kept, tweets...) // is written behind the sink's back
			}
			return err
		}},
		subject: func(b *broken, s *sinktest.Subject) {
			s.Stored = func() ([]*tweetstream.Tweet, error) {
				all, err := b.stored()
				b.mu.Lock()
				defer b.mu.Unlock()
				return append(all, b.kept...), err
			}
		},
		checks: []string{"outage", "a run"},
		says:   "After an outage, Posts are stored more than once",
	}, {
		name: "names Posts of other batches",
		sink: &broken{deliver: func(ctx context.Context, b *broken, tweets []*tweetstream.Tweet) error {
			if err := b.good.Deliver(ctx, tweets); err != nil {
				return &tweetstream.TweetError{ID: "0", Err: err}
			}
			return nil
		}},
		checks: []string{"names"},
		says:   `Deliver with a context that is done names "0", which was not in the batch`,
	}, {
		name: "names without an error",
		sink: &broken{deliver: func(ctx context.Context, b *broken, tweets []*tweetstream.Tweet) error {
			if err := b.good.Deliver(ctx, tweets); err != nil {
				return errors.Join(&tweetstream.TweetError{ID: tweets[0].ID}, err)
			}
			return nil
		}},
		checks: []string{"names"},
		says:   "names Post 1900000000000000001 with an Err that is nil",
	}, {
		name: "names twice",
		sink: &broken{deliver: func(ctx context.Context, b *broken, tweets []*tweetstream.Tweet) error {
			if err := b.good.Deliver(ctx, tweets); err != nil {
				return errors.Join(&tweetstream.TweetError{ID: tweets[0].ID, Err: err}, err, &tweetstream.TweetError{ID: tweets[0].ID, Err: err})
			}
			return nil
		}},
		checks: []string{"names"},
		says:   "names Post 1900000000000000001 twice",
	}, {
		name: "names the first only",
		sink: &broken{deliver: func(ctx context.Context, b *broken, tweets []*tweetstream.Tweet) error {
			if err := b.good.Deliver(ctx, tweets); err != nil {
				return &tweetstream.TweetError{ID: tweets[0].ID, Err: err}
			}
			return nil
		}},
		checks: []string{"names"},
		says:   "which names 1 of 10 Posts, 9 of 9 Posts are not stored",
	}, {
		name: "a typed nil for an error",
		sink: &broken{deliver: func(ctx context.Context, b *broken, tweets []*tweetstream.Tweet) error {
			err := b.good.Deliver(ctx, tweets)
			if errors.Is(err, errDown) {
				var e *tweetstream.TweetError
				return e
			}
			return err
		}},
		checks: []string{"outage"},
		says:   "Deliver ends in a panic: runtime error",
	}, {
		name: "the text of Posts in errors",
		sink: &broken{deliver: func(ctx context.Context, b *broken, tweets []*tweetstream.Tweet) error {
			if err := b.good.Deliver(ctx, tweets); err != nil {
				return fmt.Errorf("write %s: %w", tweets[0].Raw, err)
			}
			return nil
		}},
		checks: []string{"silent errors"},
		says:   "The error of Deliver with a context that is done holds the text of a Post",
	}, {
		name: "panics on Posts without includes",
		sink: &broken{deliver: func(ctx context.Context, b *broken, tweets []*tweetstream.Tweet) error {
			for _, t := range tweets {
				if c, err := t.Content(); err == nil && c.Author.Username == "" {
					panic("no author")
				}
			}
			return b.good.Deliver(ctx, tweets)
		}},
		checks: []string{"hostile Posts"},
		says:   "A Post with nothing but the id: Deliver ends in a panic: no author at ",
	}, {
		name: "fails on what is not JSON",
		sink: &broken{deliver: func(ctx context.Context, b *broken, tweets []*tweetstream.Tweet) error {
			for _, t := range tweets {
				if _, err := t.Content(); err != nil {
					return errors.New("not JSON")
				}
			}
			return b.good.Deliver(ctx, tweets)
		}},
		checks: []string{"hostile Posts"},
		says:   "A Post with bytes that are no JSON fails for ever: not JSON",
	}, {
		name: "one Post that is too long fails its neighbours",
		sink: &broken{deliver: func(ctx context.Context, b *broken, tweets []*tweetstream.Tweet) error {
			var failed []error
			for _, t := range tweets {
				failed = append(failed, &tweetstream.TweetError{ID: t.ID, Err: tweetstream.Permanent(errors.New("a batch that is too long"))})
			}
			if slices.ContainsFunc(tweets, func(t *tweetstream.Tweet) bool { return len(t.Raw) > 1<<20 }) {
				return errors.Join(failed...)
			}
			return b.good.Deliver(ctx, tweets)
		}},
		checks: []string{"hostile Posts"},
		says:   "A Post with 4 MiB of text fails another one of its batch",
	}, {
		name: "cuts what is too long",
		sink: &broken{deliver: func(ctx context.Context, b *broken, tweets []*tweetstream.Tweet) error {
			for i, t := range tweets {
				if len(t.Raw) > 1<<20 {
					tweets[i] = t.WithRaw(t.Raw[:1<<20])
				}
			}
			return b.good.Deliver(ctx, tweets)
		}},
		checks: []string{"hostile Posts"},
		says:   "is nothing that was delivered",
		subject: func(b *broken, s *sinktest.Subject) {
			s.Stored = func() ([]*tweetstream.Tweet, error) {
				all, err := b.stored()
				for _, t := range all {
					t.ID = ""
				}
				return all, err
			}
		},
	}, {
		name: "takes two ids for one",
		sink: &broken{deliver: func(ctx context.Context, b *broken, tweets []*tweetstream.Tweet) error {
			for _, t := range tweets {
				b.mu.Lock()
				clash := slices.ContainsFunc(b.kept, func(o *tweetstream.Tweet) bool { return o.ID != t.ID && strings.EqualFold(o.ID, t.ID) })
				b.kept = append(b.kept, t)
				b.mu.Unlock()
				if clash {
					continue
				}
				if err := b.good.Deliver(ctx, []*tweetstream.Tweet{t}); err != nil {
					return err
				}
			}
			return nil
		}},
		checks: []string{"hostile Posts"},
		says:   "After hostile Posts, 1 of",
	}, {
		name: "deletes nothing",
		sink: &broken{delete: func(ctx context.Context, b *broken, ids []string) error {
			if len(ids) > 1 {
				ids = ids[:1]
			}
			return b.good.Delete(ctx, ids)
		}},
		checks: []string{"deletes"},
		says:   "After deletes, Posts are stored that should not be: 1900000000000000005",
	}, {
		name: "an id that is not there is an error",
		sink: &broken{delete: func(ctx context.Context, b *broken, ids []string) error {
			for _, id := range ids {
				if b.tweets[id] == nil {
					return errors.New("not found")
				}
			}
			return b.good.Delete(ctx, ids)
		}},
		checks: []string{"deletes"},
		says:   "Delete of two Posts, and one that is not there fails: not found",
	}, {
		name: "deletes all",
		sink: &broken{delete: func(ctx context.Context, b *broken, ids []string) error {
			if err := b.enter(ctx); err != nil {
				return err
			}
			for id := range maps.Clone(b.tweets) {
				b.remove(id)
			}
			return nil
		}},
		checks: []string{"deletes", "context done", "context ends a hang", "outage", "a run"},
		says:   "After deletes, 6 of 6 Posts are not stored",
	}, {
		name: "disturbs other calls",
		sink: &broken{deliver: func(ctx context.Context, b *broken, tweets []*tweetstream.Tweet) error {
			b.mu.Lock()
			b.kept = append(b.kept, tweets...)
			n := len(b.kept)
			b.mu.Unlock()
			time.Sleep(time.Millisecond) // until all calls are here
			b.mu.Lock()
			defer b.mu.Unlock()
			if len(b.kept) != n {
				return errors.New("somebody else was here")
			}
			return b.good.Deliver(ctx, tweets)
		}},
		checks: []string{"parallel"},
		says:   "8 calls of Deliver at a time: one fails: somebody else was here",
	}, {
		name: "Stored fails",
		subject: func(_ *broken, s *sinktest.Subject) {
			s.Stored = func() ([]*tweetstream.Tweet, error) { return nil, errDown }
		},
		checks: []string{"delivers all", "again", "context done", "context ends a hang", "deletes", "hostile Posts", "keeps no slice", "outage", "parallel", "a run", "a run that stops"},
		says:   "After a batch of 1, Stored fails: the store is down",
	}, {
		name:    "no sink",
		subject: func(_ *broken, s *sinktest.Subject) { s.Sink = nil },
		checks:  []string{"defaults", "delivers all", "again", "context done", "context ends a hang", "deletes", "hostile Posts", "keeps no slice", "outage", "parallel", "a run", "a run that stops", "changes no tweet", "names", "silent errors"},
		says:    "Set Subject.Sink",
	}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				failures, _ := sinktest.Try(t.Context(), func() sinktest.Subject {
					b := &broken{}
					if c.sink != nil {
						b = &broken{deliver: c.sink.deliver, delete: c.sink.delete, options: c.sink.options}
					}
					s := b.subject(b)
					if c.subject != nil {
						c.subject(b, &s)
					}
					return s
				})
				want := slices.Sorted(slices.Values(c.checks))
				if diff := cmp.Diff(want, slices.Sorted(maps.Keys(failures))); diff != "" {
					t.Errorf("checks that fail (-want +got):\n%s\n%v", diff, failures)
				}
				said := strings.Join(failures[c.checks[0]], "\n")
				if !strings.Contains(said, c.says) || !strings.Contains(said, "The contract: ") || !strings.Contains(said, "What to do: ") {
					t.Errorf("%q says:\n%s\nwant: %s", c.checks[0], said, c.says)
				}
				for _, f := range failures {
					if strings.Contains(strings.Join(f, ""), "quince") && c.name != "the text of Posts in errors" {
						t.Errorf("a failure holds the text of a Post")
					}
				}
			})
		})
	}
}
