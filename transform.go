package tweetstream

import (
	"context"
	"errors"
	"fmt"
)

// A Transform changes or drops tweets: it returns the tweet to go on with (the
// one it was given, or a copy made by [Tweet.WithRaw]), nil to drop it, or an
// error; then the tweet does not pass, and goes to the dead letter. A panic
// counts as an error.
//
// Transforms given to [WithTransform] see every tweet once, on its way into the
// log, one at a time, and must do no I/O: they are in every Post's way. Those
// given to [Through] are for one sink. Tombstones pass by transforms.
type Transform func(ctx context.Context, t *Tweet) (*Tweet, error)

var errNoTweetID = errors.New("transform returned a tweet without an id")

// transform passes t through all of fs.
func transform(ctx context.Context, fs []Transform, t *Tweet) (_ *Tweet, err error) {
	if len(fs) == 0 || t.Deleted {
		return t, nil
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("transform: %w", newPanicError(p))
		}
	}()
	for _, f := range fs {
		if t, err = f(ctx, t); err != nil || t == nil {
			if err != nil {
				readable(err, nil)
			}
			return nil, err
		}
		if t.ID == "" {
			return nil, errNoTweetID
		}
	}
	return t, nil
}
