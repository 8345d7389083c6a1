package sinktest

import (
	"errors"
	"reflect"

	"github.com/tweetstream-go/tweetstream"
)

// verdict is what a Streamer reads out of an error.
type verdict struct {
	named     []*tweetstream.TweetError
	permanent []bool  // of each named
	others    []error // the leaves that are no TweetErrors
	whole     bool    // others that are Permanent, all of them
}

// permanentType tells what Permanent has marked.
var permanentType = reflect.TypeOf(tweetstream.Permanent(errors.New("")))

func read(err error) *verdict {
	v := &verdict{}
	if err != nil {
		v.walk(err, false)
		v.whole = len(v.others) > 0 && isPermanent(err)
	}
	return v
}

func (v *verdict) walk(err error, permanent bool) {
	switch e := err.(type) {
	case *tweetstream.TweetError:
		v.named = append(v.named, e)
		v.permanent = append(v.permanent, permanent || isPermanent(e.Err))
		return
	case interface{ Unwrap() []error }:
		for _, err := range e.Unwrap() {
			v.walk(err, permanent)
		}
		return
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			n := len(v.others)
			v.walk(inner, permanent || reflect.TypeOf(err) == permanentType)
			if len(v.others) > n {
				v.others = append(v.others[:n], err)
			}
			return
		}
	}
	v.others = append(v.others, err)
}

// isPermanent reports whether err is Permanent; errors joined must all be.
func isPermanent(err error) bool {
	if err != nil && reflect.TypeOf(err) == permanentType {
		return true
	}
	switch e := err.(type) {
	case interface{ Unwrap() []error }:
		for _, err := range e.Unwrap() {
			if !isPermanent(err) {
				return false
			}
		}
		return len(e.Unwrap()) > 0
	case interface{ Unwrap() error }:
		return isPermanent(e.Unwrap())
	}
	return false
}

// blames reports whether a Post would be given up for good because of err.
func blames(err error) bool {
	v := read(err)
	if v.whole {
		return true
	}
	if len(v.others) > 0 {
		return false // the whole batch, again
	}
	for _, p := range v.permanent {
		if p {
			return true
		}
	}
	return false
}
