// Package signals ends programs in order.
package signals

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// Interrupted is the exit code after a second signal, as shells have it for SIGINT.
const Interrupted = 130

// Until returns a context that ends with the first SIGINT or SIGTERM, and, with
// hangup, also with a SIGHUP, which comes when the terminal is closed; not if it is
// ignored, as by nohup. The second signal calls last and ends the process.
func Until(hangup bool, last func()) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if hangup && !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(signals, syscall.SIGHUP)
	}
	go func() {
		<-signals
		cancel()
		<-signals
		last()
		os.Exit(Interrupted)
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel()
	}
}
