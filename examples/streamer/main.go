package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/tweetstream-go/tweetstream/examples/internal/signals"
)

// The exit codes, but for 0 and signals.Interrupted.
const (
	failed  = 1
	misused = 2
	differs = 3 // rules diff has found something to do
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	var c cli
	var s settings
	con := newConsole(os.Stderr)
	parser := kong.Must(&c,
		kong.Name("streamer"),
		kong.Description(description),
		kong.Vars{"schemes": strings.Join(schemeForms(), ", ")},
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true}),
		kong.Resolvers(&s),
		kong.Bind(&s, con),
	)
	command, err := parser.Parse(args)
	if err != nil {
		err = usageError{err}
	} else {
		reloads := command.Command() == "run" && c.Run.Rules != nil // see reload
		ctx, stop := signals.Until(!reloads, func() { con.show("") })
		defer stop()
		command.BindTo(ctx, (*context.Context)(nil))
		err = command.Run(&c.common)
	}
	return c.exit(con, err)
}

// A usageError is the caller's: it is found before anything is opened.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func misuse(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

// exit says in one line what went wrong, and returns the exit code for it.
func (c *cli) exit(con *console, err error) int {
	if err == nil {
		return 0
	}
	// Errors that were joined stand in lines of their own.
	text := strings.ReplaceAll(err.Error(), "\n", "; ")
	switch {
	case errors.Is(err, errDiffers):
		return differs
	case errors.Is(err, errChecked): // said already
	case errors.As(err, new(usageError)):
		fmt.Fprintf(con, "streamer: %s\n%sSee streamer --help.\n", text, carets(err))
		return misused
	case c.LogFormat == "json":
		c.logger(con).Error("failed", "error", text)
	default:
		fmt.Fprintf(con, "streamer: %s\n%s", text, carets(err))
	}
	return failed
}
