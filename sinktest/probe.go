package sinktest

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tweetstream-go/tweetstream"
)

const (
	callTime = 15 * time.Second // for a call, as a Streamer gives it
	patience = 5 * time.Second  // for what is to happen soon
)

// The sentences of the contract that failures quote.
const (
	ruleNil       = "Nil means that all of them are delivered: for good, the Streamer forgets them."
	ruleAgain     = "The same tweets may come again, also those that a failed call had delivered, so that a sink should be able to take a tweet twice."
	ruleContext   = "Deliver must return soon after ctx is done."
	ruleSlice     = "The slice is the Streamer's and must not be kept; the tweets may be."
	ruleReadOnly  = "All sinks share one Tweet, so treat it as read-only."
	ruleOrder     = "A sink gets tweets in the order of the log, batch after batch."
	ruleRaw       = "Raw is the whole message as X sent it."
	ruleNamed     = "One TweetError, or several joined by errors.Join: the tweets that are not named are delivered."
	rulePermanent = "Permanent: the Post's fault, trying again is no use. Any other error: the sink's fault, the same batch again."
	rulePanic     = "A panic counts as any other error: the same batch again, for ever."
	ruleText      = "No token and no Post's text stands in a log line, an error or Stats."
	ruleDelete    = "Delete takes away the Posts with these ids, wherever the sink has put them; an id that is not there is no error."
	ruleDefaults  = "A sink that knows better defaults than the Streamer's has a method Defaults() []SinkOption."
	ruleParallel  = "Calls come one at a time, unless the sink was plugged in with Parallel, or under two names."
)

// probe is a sink under one check.
type probe struct {
	Subject
	ctx     context.Context
	made    int                  // tweets
	known   []*tweetstream.Tweet // that were delivered
	decoys  map[string]bool      // ids of tweets that were not
	skipped string

	mu       sync.Mutex
	upset    bool // Break or Hang is in force
	failures []string
}

func newProbe(ctx context.Context, s Subject) *probe { return &probe{Subject: s, ctx: ctx} }

// halt is what a check panics with when it can't go on.
type halt struct{}

// run runs c. What it has found is in failures and skipped then.
func (p *probe) run(c check) {
	defer func() {
		if v := recover(); v != nil && v != (halt{}) {
			panic(v)
		}
	}()
	defer p.mend()
	if p.Sink == nil {
		p.fatal(ruleDefaults, "Set Subject.Sink.", "There is no sink.")
	}
	c.run(p)
}

// trouble calls Break or Hang, until mend.
func (p *probe) trouble(f func()) {
	p.mu.Lock()
	p.upset = true
	p.mu.Unlock()
	f()
}

func (p *probe) mend() {
	p.mu.Lock()
	upset := p.upset
	p.upset = false
	p.mu.Unlock()
	if upset {
		p.Mend()
	}
}

// skip ends a check that lacks something.
func (p *probe) skip(format string, args ...any) {
	p.skipped = fmt.Sprintf(format, args...)
	panic(halt{})
}

// fail notes what is wrong, the sentence that it breaks, and what to do.
func (p *probe) fail(rule, advice, format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failures = append(p.failures, fmt.Sprintf(format, args...)+"\nThe contract: "+rule+"\nWhat to do: "+advice)
}

// fatal is fail, and ends the check.
func (p *probe) fatal(rule, advice, format string, args ...any) {
	p.fail(rule, advice, format, args...)
	panic(halt{})
}

// panicked is a panic of the sink.
type panicked struct {
	value any
	where string
}

func (e *panicked) Error() string { return fmt.Sprintf("panic: %.200v at %s", e.value, e.where) }

// guard calls f, and makes an error of a panic.
func guard(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicked{v, place()}
		}
	}()
	if err = f(); err != nil {
		_ = err.Error() // a typed nil panics here, as it does in the Streamer
	}
	return err
}

// place returns where the panic began that is being recovered.
func place() string {
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)])
	for {
		f, more := frames.Next()
		if f.File != "" && !strings.HasPrefix(f.Function, "runtime.") {
			return fmt.Sprintf("%s:%d", f.File, f.Line)
		}
		if !more {
			return "an unknown place"
		}
	}
}

// deliver calls Deliver as a Streamer does, with a slice for the sink alone. It
// ends the check if the sink panics or does not return.
func (p *probe) deliver(ctx context.Context, tweets []*tweetstream.Tweet) error {
	p.known = append(p.known, tweets...)
	return p.deliverSlice(ctx, slices.Clone(tweets))
}

func (p *probe) deliverSlice(ctx context.Context, tweets []*tweetstream.Tweet) error {
	why, err := call(ctx, func(ctx context.Context) error { return p.Sink.Deliver(ctx, tweets) })
	p.judgeCall("Deliver", err, why)
	return err
}

// delete calls Delete likewise.
func (p *probe) delete(ctx context.Context, ids ...string) error {
	why, err := call(ctx, func(ctx context.Context) error { return p.Sink.(tweetstream.Deleter).Delete(ctx, ids) })
	p.judgeCall("Delete", err, why)
	return err
}

// call calls f, and waits until it returns or is late. late says how, or is empty.
func call(ctx context.Context, f func(context.Context) error) (late string, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- guard(func() error { return f(ctx) }) }()
	select {
	case err := <-done:
		return "", err
	case <-ctx.Done():
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case err := <-done:
		return "", err
	case <-timer.C:
		return fmt.Sprintf("has not returned %v after its context was done", patience), nil
	}
}

func (p *probe) judgeCall(method string, err error, late string) {
	if late != "" {
		p.fatal(ruleContext, "Hand ctx on to everything that waits: http.NewRequestWithContext, ExecContext, a select on ctx.Done().", "%s %s.", method, late)
	}
	if e, ok := err.(*panicked); ok {
		p.fatal(rulePanic, "Return an error instead; tweetstream.Permanent, if a Post is at fault.", "%s ends in a %v.", method, e)
	}
}

// mustDeliver delivers tweets that nothing stands in the way of.
func (p *probe) mustDeliver(what string, tweets []*tweetstream.Tweet) {
	if err := p.deliver(p.ctx, tweets); err != nil {
		p.fatal(rulePermanent, "See why it fails: nothing is wrong with these Posts, nor, by the Subject, with the other end.",
			"Deliver of %s fails: %v.", what, err)
	}
}

func (p *probe) mustDelete(what string, ids ...string) {
	if err := p.delete(p.ctx, ids...); err != nil {
		p.fatal(ruleDelete, "Return nil once no Post with these ids is there, whoever has taken them away.", "Delete of %s fails: %v.", what, err)
	}
}
