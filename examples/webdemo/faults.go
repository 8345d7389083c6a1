package main

import (
	"errors"
	"net/http"
	"sync/atomic"

	"github.com/tweetstream-go/tweetstream/xtest"
)

// faults lets go wrong what the page asks for: at the simulated X, and between the
// two services.
type faults struct {
	x    *xtest.Server
	gone atomic.Bool // the second service answers the first one with 503
}

// scripts are what the page may inject into the simulator, by name.
var scripts = map[string]string{
	"reset":      "reset",
	"stall":      "stall=60s",
	"flood":      "flood=5000",
	"disconnect": "disconnect",
	"busy":       "reset 503x2",
	"garbage":    "garbage",
}

// inject takes {"fault":"reset"}, one of scripts, or sink-gone and sink-back.
func (f *faults) inject(w http.ResponseWriter, r *http.Request) {
	var asked struct{ Fault string }
	if !read(w, r, &asked) {
		return
	}
	switch script, ok := scripts[asked.Fault]; {
	case asked.Fault == "sink-gone":
		f.gone.Store(true)
	case asked.Fault == "sink-back":
		f.gone.Store(false)
	case !ok:
		refuse(w, http.StatusBadRequest, errors.New("there is no such fault"))
		return
	default:
		if err := f.x.Inject(script); err != nil {
			refuse(w, http.StatusInternalServerError, err)
			return
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

// between refuses what the first service sends to the second while that is gone.
func (f *faults) between(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f.gone.Load() {
			http.Error(w, "gone, as the page has asked", http.StatusServiceUnavailable)
			return
		}
		next.ServeHTTP(w, r)
	})
}
