package main

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"regexp"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/tweetstream-go/tweetstream/examples/internal/secrets"
	"github.com/tweetstream-go/tweetstream/examples/internal/signals"
	"github.com/tweetstream-go/tweetstream/examples/internal/web"
	"github.com/tweetstream-go/tweetstream/examples/internal/xflags"
	"github.com/tweetstream-go/tweetstream/sources/httpsource"
	"github.com/tweetstream-go/tweetstream/sources/xstream"
)

const description = `Shows Posts in a browser, as they come.

Without any flag the Posts are made up by a simulated X. A flag can also be set in a YAML file, by its name; the command line goes before the file.`

type cli struct {
	Config       string   `placeholder:"FILE" help:"Read settings from this YAML file. By default webapp.yaml, if it is there."`
	Listen       string   `default:"127.0.0.1:8080" placeholder:"ADDR" help:"Listen on this address (${default})."`
	Host         []string `sep:"none" placeholder:"NAME" help:"Answer requests for this host too, such as that of a server in front. Can be given again."`
	Remote       bool     `help:"Let --listen be an address that other machines reach. Anybody there can then read and post."`
	PasswordFile string   `placeholder:"FILE" help:"Ask for the password in this file, on every route."`
	SecretFile   string   `placeholder:"FILE" help:"Take only what is signed with a secret in this file, as streamer --http-secret-file signs it."`
	Data         string   `placeholder:"FOLDER" help:"Keep the newest Posts and the dead letters in this folder, for the next start too. By default they are in a temporary one, which is removed at the end."`
	Keep         int      `default:"100000" placeholder:"N" help:"Keep the newest N Posts (${default})."`
	Archive      string   `placeholder:"FILE" help:"Write the Posts into this file too, one message a line. By default none is written."`
	Receive      bool     `help:"Take Posts from a streamer (--to http://…/tweets) instead of the simulated X."`
	Rate         float64  `default:"3" placeholder:"N" help:"Let the simulated X make N Posts a second (${default})."`
	Tag          []string `sep:"none" placeholder:"WORD" help:"Let the simulated X make Posts with this word, or, with --live, take those with this word or hashtag. Can be given again. By default coop, golang and coffee of the simulated X."`
	Live         bool     `help:"Read X itself instead of a simulated one. Each Post costs money; --budget says how much at most."`

	xflags.Connect
	xflags.Money
	Checkpoint string `placeholder:"FILE" help:"With --live, keep in this file how far the stream was read and what was counted of the budget, for the next start. By default a restart begins at now, and counts from 0."`

	secret *secrets.File       // in SecretFile; nil if there is none
	token  xstream.TokenSource // with Live
	money  []xstream.Option    // likewise
}

// maxKeep is some 50 GB of Posts.
const maxKeep = 10_000_000

// The exit codes, but for 0 and signals.Interrupted.
const (
	failed  = 1
	misused = 2
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	var c cli
	s := settings{values: map[string]any{}, origin: map[string]string{}}
	parser := kong.Must(&c,
		kong.Name("webdemo"),
		kong.Description(description),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Resolvers(s),
		kong.Bind(s),
	)
	_, err := parser.Parse(args)
	if err == nil {
		err = c.check(s)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "webdemo: %s\nSee webdemo --help.\n", oneLine(err))
		return misused
	}
	ctx, stop := signals.Until(true, func() {})
	defer stop()
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	if c.Live {
		c.token, err = c.Token(ctx, s, logger, slog.LevelInfo)
	}
	if err == nil {
		err = c.serve(ctx, logger)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "webdemo: %s\n", oneLine(err))
		return failed
	}
	return 0
}

// oneLine returns errors that were joined, and stand in lines of their own.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

// word is what makes a word and a hashtag.
var word = regexp.MustCompile(`^[\p{L}\p{M}\p{N}_]*\p{L}[\p{L}\p{M}\p{N}_]*$`)

// check finds what can't be, before anything is opened.
func (c *cli) check(s settings) error {
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fmt.Errorf("--listen %q: want HOST:PORT, as in 127.0.0.1:8080", c.Listen)
	}
	if !web.IsLoopback(host) && !c.Remote && c.PasswordFile == "" {
		return fmt.Errorf("--listen %q: other machines could reach it: give --password-file, or, if everybody there may read and post, --remote", c.Listen)
	}
	if c.SecretFile != "" {
		if c.secret, err = secrets.Read(c.SecretFile); err != nil {
			return fmt.Errorf("--secret-file: %w", err)
		}
		if _, err := httpsource.New(httpsource.Secret(c.secret.Text)); err != nil {
			return fmt.Errorf("--secret-file %s: %s", c.SecretFile, strings.TrimPrefix(err.Error(), "httpsource: Secret: "))
		}
	}
	for _, h := range c.Host {
		if _, err := httpsource.New(httpsource.Hosts(h)); err != nil || h == "*" {
			return fmt.Errorf("--host %q: want a name or an address, without a port", h)
		}
	}
	if err := c.checkLive(s); err != nil {
		return err
	}
	if c.Receive && (len(c.Tag) > 0 || s.given("rate")) {
		return errors.New("--tag and --rate are for the simulated X, which --receive turns off")
	}
	if c.Keep < 1 || c.Keep > maxKeep {
		return fmt.Errorf("--keep %d: want a number from 1 to %d", c.Keep, maxKeep)
	}
	if s.given("data") && c.Data == "" {
		return fmt.Errorf("%s: want the name of a folder", s.Given("data"))
	}
	if c.Rate <= 0 || c.Rate > maxRate {
		return fmt.Errorf("--rate %v: want more than 0 and at most %d", c.Rate, maxRate)
	}
	for _, t := range c.Tag {
		if !word.MatchString(t) {
			return fmt.Errorf("--tag %q: want a plain word of letters and digits", t)
		}
	}
	return nil
}

// liveFlags say what only --live asks for.
var liveFlags = []string{"api-url", "token-file", "token-env", "token-credential", "budget", "cycle-day", "price", "checkpoint"}

// checkLive finds what can't be of --live, and leaves the other ways to get Posts
// aside that a lower level has set.
func (c *cli) checkLive(s settings) (err error) {
	form, err := s.OneOf("live", "receive")
	if err != nil && c.Live && c.Receive {
		return err
	}
	if c.Live && c.Receive {
		c.Live, c.Receive = form == "live", form == "receive"
	}
	if !c.Live {
		for _, flag := range liveFlags {
			if s.given(flag) {
				return fmt.Errorf("%s is for --live", s.Given(flag))
			}
		}
		return nil
	}
	switch {
	case len(c.Tag) == 0:
		return errors.New("--live: give --tag WORD too: X sends, and bills, the Posts with it")
	case s.given("rate"):
		return fmt.Errorf("%s is for the simulated X, which --live turns off", s.Given("rate"))
	case s.given("checkpoint") && c.Checkpoint == "":
		return fmt.Errorf("%s: want the name of a file", s.Given("checkpoint"))
	}
	if err := c.Connect.Check(s); err != nil {
		return err
	}
	c.money, err = c.Money.Options(s)
	return err
}

// hosts are the names under which the server is asked for.
func (c *cli) hosts() []string {
	host, _, _ := net.SplitHostPort(c.Listen) // checked
	return append(web.Hosts(host), c.Host...)
}

// mayChange reports whether those who reach the page may change the rules, which
// costs money at X.
func (c *cli) mayChange() bool {
	host, _, _ := net.SplitHostPort(c.Listen) // checked
	return web.IsLoopback(host) || c.PasswordFile != ""
}

// tags are what the simulated X makes Posts about.
func (c *cli) tags() []string {
	if len(c.Tag) == 0 {
		return []string{"coop", "golang", "coffee"}
	}
	return c.Tag
}

// greet says where the page is, what is on it, and what that may cost.
func (c *cli) greet(addr string, budget xstream.Reads, h *history) {
	host, port, _ := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = cmp.Or(append(c.Host, "localhost")[0])
	}
	url := "http://" + net.JoinHostPort(host, port)
	keeps := fmt.Sprintf("The newest %d Posts are kept in %s.\n", h.keep, h.folder)
	if h.gone {
		keeps = fmt.Sprintf("The newest %d Posts are kept in %s, which is removed at the end: see --data.\n", h.keep, h.folder)
	}
	if c.Receive {
		fmt.Fprintf(os.Stderr, "The page is at %s\nIt shows what is posted to it, as by\n\n    streamer --tag coop --to %s/tweets\n\n%sCtrl-C ends it.\n", url, url, keeps)
		return
	}
	if c.Live {
		fmt.Fprintf(os.Stderr, "The page is at %s\nIt shows Posts of %s with %s.\n%s%sCtrl-C ends it.\n", url, c.APIURL, strings.Join(c.Tag, ", "), c.costs(budget), keeps)
		return
	}
	fmt.Fprintf(os.Stderr, "The page is at %s\nIt shows made-up Posts of a simulated X, %v a second, about %s.\n%sCtrl-C ends it.\n", url, c.Rate, strings.Join(c.tags(), ", "), keeps)
}

// costs says what a budget may cost; it is empty without one.
func (c *cli) costs(budget xstream.Reads) string {
	var most []string
	if n := budget.Day; n > 0 {
		most = append(most, fmt.Sprintf("%d a UTC day ($%.2f)", n, float64(n)*c.Price))
	}
	if n := budget.Month; n > 0 {
		most = append(most, fmt.Sprintf("%d a billing cycle ($%.2f)", n, float64(n)*c.Price))
	}
	if len(most) == 0 {
		return ""
	}
	text := fmt.Sprintf("Each Post costs $%v: the stream is held after %s, see --budget.\n", c.Price, strings.Join(most, " or "))
	if c.Checkpoint == "" {
		text += "Without --checkpoint the next start counts from 0.\n"
	}
	return text
}
