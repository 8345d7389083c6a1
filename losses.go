package tweetstream

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// losses makes sure that no tweet is lost without a name: each goes to the dead
// letter and is counted in the log; where there is no dead letter, or it can't
// be written, the log names the first id, the last id and how many.
type losses struct {
	logger *slog.Logger
	dead   DeadLetter
	guard  guard

	// queue holds letters from places that must not wait for the dead letter:
	// the intake. What does not fit is named in the log.
	queue chan Letter

	mu    sync.Mutex
	named map[lossKey]*loss // since the last flush
}

type lossKey struct {
	sink   string
	reason Reason
	kept   bool // in the dead letter
}

type loss struct {
	first, last string
	count       int
	err         string // of the last
}

// queued is how many letters may wait for the dead letter, some 10 MB.
const queued = 4096

func newLosses(l *slog.Logger, dead DeadLetter) *losses {
	return &losses{
		logger: l,
		dead:   dead,
		guard:  guard{what: "the dead letter", logger: l},
		queue:  make(chan Letter, queued),
		named:  map[lossKey]*loss{},
	}
}

// lose takes the letter of a tweet from where nothing may wait. It does not block.
func (l *losses) lose(letter Letter) {
	if l.dead != nil {
		select {
		case l.queue <- letter:
			return
		default:
		}
	}
	l.name(false, letter)
}

// name takes letters into the next line of the log.
func (l *losses) name(kept bool, letters ...Letter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, letter := range letters {
		k := lossKey{letter.Sink, letter.Reason, kept}
		if l.named[k] == nil {
			l.named[k] = &loss{first: letter.Tweet.ID}
		}
		n := l.named[k]
		n.last = letter.Tweet.ID
		n.count++
		n.err = letter.Error
	}
}

// flush writes what was named into the log.
func (l *losses) flush() {
	l.mu.Lock()
	named := l.named
	l.named = map[lossKey]*loss{}
	l.mu.Unlock()
	keys := make([]lossKey, 0, len(named))
	for k := range named {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b lossKey) int {
		return cmp.Or(cmp.Compare(a.sink, b.sink), cmp.Compare(a.reason, b.reason))
	})
	for _, k := range keys {
		n := named[k]
		attrs := []any{"reason", string(k.reason), "count", n.count, "first", n.first, "last", n.last}
		if k.sink != "" {
			attrs = append(attrs, "sink", k.sink)
		}
		if n.err != "" {
			attrs = append(attrs, "error", n.err)
		}
		if k.kept {
			l.logger.Warn("tweets went to the dead letter", attrs...)
		} else {
			l.logger.Error("tweets lost", attrs...)
		}
	}
}

// bury returns when the dead letter has the letters, or they are named in the
// log: because there is no dead letter, or ctx was done before it took them. In
// the last case it reports false, and names nothing, if they are kept elsewhere.
func (l *losses) bury(ctx context.Context, letters []Letter, elsewhere bool) bool {
	kept := l.dead != nil && l.write(ctx, letters) == nil
	if !kept && l.dead != nil && elsewhere {
		return false
	}
	l.name(kept, letters...)
	return true
}

// write hands letters to the dead letter until it takes them or ctx is done.
func (l *losses) write(ctx context.Context, letters []Letter) error {
	tweets := make([]*Tweet, len(letters))
	for i := range letters {
		tweets[i] = letters[i].Tweet
	}
	said := false
	try := func() error { return l.call(ctx, letters) }
	failed := func(err error, _ time.Duration) {
		if !said {
			l.logger.Error("the dead letter can't be written: tweets wait for it", "count", len(letters), "error", safeError(err, tweets...))
		}
		said = true
	}
	return backoff.RetryNotify(try, backoff.WithContext(newBackoff(500*time.Millisecond, 30*time.Second), ctx), failed)
}

// call calls the dead letter once.
func (l *losses) call(ctx context.Context, letters []Letter) error {
	_, err := l.guard.call(ctx, func() error { return l.dead(ctx, slices.Clone(letters)) })
	return err
}

// lastWords is how long the dead letter has at the end of Run.
const lastWords = 5 * time.Second

// run writes what is queued until ctx is done, and then what is left.
func (l *losses) run(ctx context.Context) {
	var left [][]Letter
	for ctx.Err() == nil {
		select {
		case letter := <-l.queue:
			if letters := l.take(letter); !l.bury(ctx, letters, true) {
				left = append(left, letters)
			}
		case <-ctx.Done():
		}
	}
	// The last chance of the dead letter, when Run ends.
	last, cancel := context.WithTimeout(context.Background(), lastWords)
	defer cancel()
	for _, letters := range left {
		l.bury(last, letters, false)
	}
	for len(l.queue) > 0 {
		l.bury(last, l.take(<-l.queue), false)
	}
}

// take returns first and what is queued behind it.
func (l *losses) take(first Letter) []Letter {
	letters := []Letter{first}
	for len(letters) < 500 && len(l.queue) > 0 {
		letters = append(letters, <-l.queue)
	}
	return letters
}
