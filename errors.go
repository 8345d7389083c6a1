package tweetstream

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/tweetstream-go/tweetstream/internal/redact"
)

// safeError returns an error's text as it may stand in logs, Stats and letters.
// Errors of sinks and transforms come from drivers and servers that quote what
// they were given; what they share with the Posts at hand is taken out.
func safeError(err error, tweets ...*Tweet) (text string) {
	defer func() {
		if recover() != nil {
			text = fmt.Sprintf("an error of type %T, which panics when it is read", err)
		}
	}()
	messages := make([][]byte, len(tweets))
	for i, t := range tweets {
		messages[i] = t.Raw
	}
	// The comparison comes first, for it sees through no escapes of Text.
	return redact.Text(redact.Posts(redact.Secrets(err.Error()), messages...))
}

// panicError is a panic of a sink, a transform or a source. What it was called
// with is not shown, unless it comes from the runtime: it may hold a Post.
type panicError struct {
	what  string
	where string
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %s at %s", e.what, e.where) }

// newPanicError is called by the deferred function that has recovered p.
func newPanicError(p any) error {
	e := &panicError{what: fmt.Sprintf("a value of type %T", p), where: "an unknown place"}
	if err, ok := p.(runtime.Error); ok {
		e.what = err.Error()
	}
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)])
	for {
		f, more := frames.Next()
		if f.File != "" && !strings.HasPrefix(f.Function, "runtime.") {
			e.where = fmt.Sprintf("%s:%d", filepath.Base(f.File), f.Line)
			break
		}
		if !more {
			break
		}
	}
	return e
}
