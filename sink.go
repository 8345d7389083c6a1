package tweetstream

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A Sink takes tweets to where they are wanted. It is one method that tries
// once: waiting, batching, retry, time-outs and panics are the Streamer's.
//
// Deliver hands over one batch, oldest first, of at least one tweet and at most
// as many as [Batch] says. Nil means that all of them are delivered: for good,
// the Streamer forgets them. What an error means:
//
//   - one [*TweetError], or several joined by [errors.Join]: the tweets that are
//     not named are delivered;
//   - [Permanent]: the Post's fault, trying again is no use. A batch is split
//     until the Post at fault stands alone;
//   - [RetryAfter]: the same batch again, not before the time given;
//   - any other error: the sink's fault, the same batch again, by default for
//     ever.
//
// The same tweets may come again, also those that a failed call had delivered,
// so that a sink should be able to take a tweet twice. Deliver must return soon
// after ctx is done; ctx ends after [Timeout], or when the drain time of a
// Streamer that was stopped is over. A panic counts as any other error.
//
// Calls come one at a time, unless the sink was plugged in with [Parallel], or
// under two names. The slice is the Streamer's and must not be kept; the tweets
// may be.
//
// A sink that knows better defaults than the Streamer's has a method
// Defaults() []SinkOption; options of [WithSink] win over them. Closing a sink,
// after [Streamer.Run] has returned, is the business of who opened it.
type Sink interface {
	Deliver(ctx context.Context, tweets []*Tweet) error
}

// A SinkFunc is a [Sink] that takes one tweet at a time. Every tweet of a batch
// is tried, also after one has failed.
type SinkFunc func(ctx context.Context, t *Tweet) error

// Deliver calls f for each tweet and joins what failed. Once ctx is done, the
// tweets that are left fail without a call.
func (f SinkFunc) Deliver(ctx context.Context, tweets []*Tweet) error {
	var failed []error
	for _, t := range tweets {
		err := ctx.Err()
		if err == nil {
			err = f(ctx, t)
		}
		if err != nil {
			failed = append(failed, &TweetError{ID: t.ID, Err: err})
		}
	}
	return errors.Join(failed...)
}

// A Deleter is a [Sink] that can follow deletes: Delete takes away the Posts
// with these ids, wherever the sink has put them. Tombstones are handed over in
// the order of the log, under the rules of Deliver; an id that is not there is
// no error. Sinks that are no Deleter are passed by.
type Deleter interface {
	Delete(ctx context.Context, ids []string) error
}

// A TweetError says that one tweet of a batch was not delivered. Returned
// alone or joined with others of its kind, it says too that the rest of the
// batch was delivered. Its Err may be [Permanent] or [RetryAfter].
type TweetError struct {
	ID  string
	Err error
}

func (e *TweetError) Error() string { return fmt.Sprintf("tweet %s: %v", e.ID, e.Err) }

// Unwrap returns Err.
func (e *TweetError) Unwrap() error { return e.Err }

// Permanent marks err as the Post's fault: the Post is not tried again, but
// goes to the dead letter. Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

// RetryAfter marks err as one that may be gone after d: the batch is tried
// again then, and not before. RetryAfter(nil, d) is nil.
func RetryAfter(err error, d time.Duration) error {
	if err == nil {
		return nil
	}
	return &retryAfterError{err, max(d, 0)}
}

type retryAfterError struct {
	err   error
	after time.Duration
}

func (e *retryAfterError) Error() string { return e.err.Error() }
func (e *retryAfterError) Unwrap() error { return e.err }
