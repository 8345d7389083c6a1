package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"

	"github.com/tweetstream-go/tweetstream/examples/internal/xflags"
	"github.com/tweetstream-go/tweetstream/sources/xstream"
)

const description = `Takes Posts off the X API v2 stream and hands them to sinks.

    streamer simulate
    streamer --api-url http://127.0.0.1:8089 --tag coop --to file:coop.ndjson

The first of these serves a simulated X API, which the second reads; "streamer run --help" shows all flags of the second.

A flag can also be set by an environment variable, such as TWEETSTREAM_API_URL, or by its name in a YAML file. The command line goes before the environment, the environment before the file; a list replaces that of a lower level. In the environment, the parts of a list stand between ";", or in lines of their own.`

type cli struct {
	common

	Run      runCmd      `cmd:"" default:"withargs" help:"Hand the Posts of the stream to sinks, until SIGINT, SIGTERM or, without --rules, SIGHUP. This is the default command."`
	Replay   replayCmd   `cmd:"" help:"Hand the Posts of files to sinks: of archives, and of dead letters."`
	Journal  journalCmd  `cmd:"" help:"Look at the journal of a run, or make its file smaller."`
	Recover  recoverCmd  `cmd:"" help:"Ask recent search for what a gap has left out, and hand it to sinks."`
	Rules    rulesCmd    `cmd:"" help:"See to the rules at X: list, add and delete them, bring them in line with a file, try them out, or estimate what they bring."`
	Check    checkCmd    `cmd:"" help:"Look whether run would work with these flags, and say what it would do. It buys nothing and changes nothing."`
	Conns    connsCmd    `cmd:"" name:"connections" help:"List or close the live connections of the app at X."`
	Simulate simulateCmd `cmd:"" help:"Serve a simulated X API to try things out with."`
}

// common are the flags of all commands.
type common struct {
	Config string `placeholder:"FILE" help:"Read settings from this YAML file. By default streamer.yaml, if it is there."`

	xflags.Connect

	LogFormat string `enum:"text,json" default:"text" help:"Write the log, on stderr, as text or json."`
	LogLevel  string `enum:"debug,info,warn,error" default:"info" help:"Log this and what is graver: debug, info, warn or error."`
}

// token returns where the token comes from. That it is a made-up one is logged at
// the level.
func (c *common) token(ctx context.Context, s *settings, logger *slog.Logger, level slog.Level) (xstream.TokenSource, error) {
	if err := c.Check(s); err != nil {
		return nil, usageError{err}
	}
	return c.Token(ctx, s, logger, level)
}

// logger returns the logger that --log-format and --log-level ask for.
func (c *common) logger(con *console) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.LogLevel)) // checked by kong
	opts := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(con, opts))
	}
	if con.width != nil {
		opts.ReplaceAttr = timeOfDay
	}
	return slog.New(slog.NewTextHandler(con, opts))
}

// timeOfDay shortens the time for those who look on.
func timeOfDay(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		return slog.String(a.Key, a.Value.Time().Format(time.TimeOnly))
	}
	return a
}

// settings are the values of flags that are not on the command line. It is a
// kong.Resolver.
type settings struct {
	values map[string]any    // by flag: a string, or a []any of strings
	origin map[string]origin // of all flags that are given
}

// origin is where a flag's value came from.
type origin struct {
	level level
	name  string // as errors call it
}

// level orders the places where values come from: the higher one counts.
type level int

const (
	unset level = iota
	fromFile
	fromEnv
	fromArgs
)

func (s *settings) level(flag string) level { return s.origin[flag].level }

// Given returns the flag as errors name it: with where its value came from, if
// the caller may not know.
func (s *settings) Given(flag string) string {
	if o := s.origin[flag]; o.level == fromEnv || o.level == fromFile {
		return fmt.Sprintf("--%s (%s)", flag, o.name)
	}
	return "--" + flag
}

// OneOf returns which of these flags is given, "" if none is. They are forms of one
// setting: the one of the highest level counts.
func (s *settings) OneOf(flags ...string) (form string, err error) {
	highest := unset
	for _, flag := range flags {
		switch level := s.level(flag); {
		case level > highest:
			form, highest, err = flag, level, nil
		case level == highest && level != unset:
			err = misuse("want %s or %s, not both", s.Given(form), s.Given(flag))
		}
	}
	return form, err
}

// set keeps the value of a flag, unless a higher level has set it.
func (s *settings) set(f *kong.Flag, value any, o origin) {
	if o.level > s.level(f.Name) {
		s.values[f.Name], s.origin[f.Name] = value, o
	}
}

// Resolve is called by kong for the flags that are not on the command line.
func (s *settings) Resolve(_ *kong.Context, _ *kong.Path, f *kong.Flag) (any, error) {
	if argsOnly(f) {
		return nil, nil
	}
	return s.values[f.Name], nil
}

// Validate is called by kong.
func (s *settings) Validate(*kong.Application) error { return nil }

// argsOnly reports whether a flag counts on the command line only: what the
// settings say is for run.
func argsOnly(f *kong.Flag) bool { return f.Tag.Has("argsonly") }

// BeforeResolve is called by kong when it has read the command line.
func (c *cli) BeforeResolve(ctx *kong.Context, s *settings) error {
	s.values, s.origin = map[string]any{}, map[string]origin{}
	file := os.Getenv(envName("config"))
	for _, p := range ctx.Path {
		if p.Flag == nil {
			continue
		}
		s.origin[p.Flag.Name] = origin{level: fromArgs}
		if p.Flag.Name == "config" {
			file = ctx.FlagValue(p.Flag).(string)
		}
	}
	if err := s.readEnv(ctx); err != nil {
		return err
	}
	return s.readFile(file, configurable(ctx.Model))
}

// readEnv takes the flags of the command from the environment.
func (s *settings) readEnv(ctx *kong.Context) error {
	for _, f := range ctx.Flags() {
		name := envName(f.Name)
		text := os.Getenv(name)
		// An empty variable is as good as none: it is how a shell takes one away.
		if text == "" || f.Name == "help" || f.Name == "config" || argsOnly(f) {
			continue
		}
		if err := checkEnum(f, text); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		var value any = text
		if f.IsSlice() {
			value = splitList(text)
		}
		s.set(f, value, origin{fromEnv, name})
	}
	return nil
}

const defaultFile = "streamer.yaml"

// readFile takes flags from the file, or from the default one if that is there.
func (s *settings) readFile(file string, flags map[string]*kong.Flag) error {
	data, err := os.ReadFile(cmp.Or(file, defaultFile))
	if file == "" {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		file = defaultFile
	}
	if err != nil {
		return fmt.Errorf("read settings: %w", err)
	}
	given, err := parseSettings(data, flags)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	for name, g := range given {
		s.set(flags[name], g.value, origin{fromFile, fmt.Sprintf("%s, line %d", file, g.line)})
	}
	return nil
}

// configurable returns the flags that the file may set: those of run.
func configurable(app *kong.Application) map[string]*kong.Flag {
	flags := map[string]*kong.Flag{}
	for _, group := range app.DefaultCmd.AllFlags(true) {
		for _, f := range group {
			if f.Name != "help" && f.Name != "config" {
				flags[f.Name] = f
			}
		}
	}
	return flags
}

func envName(flag string) string {
	return "TWEETSTREAM_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// splitList cuts a list out of the environment. Commas stand in rules, paths and
// addresses of databases; a line break can be in none of them.
func splitList(text string) []any {
	sep := ";"
	if strings.Contains(text, "\n") {
		sep = "\n"
	}
	list := []any{}
	for part := range strings.SplitSeq(text, sep) {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list
}

func checkEnum(f *kong.Flag, value string) error {
	if f.Enum != "" && !slices.Contains(f.EnumSlice(), value) {
		return fmt.Errorf("want %s, not %q", strings.Join(f.EnumSlice(), " or "), value)
	}
	return nil
}

// setting is one line of the file.
type setting struct {
	value any
	line  int
}

// parseSettings reads a YAML file: flags by their names, each with a text, or a
// list of texts where the flag can be given more than once.
func parseSettings(data []byte, flags map[string]*kong.Flag) (map[string]setting, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if len(doc.Content) == 0 {
		return nil, nil
	}
	top := doc.Content[0]
	if top.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("line %d: want NAME: VALUE", top.Line)
	}
	values := map[string]setting{}
	for i := 0; i < len(top.Content); i += 2 {
		key, node := top.Content[i], top.Content[i+1]
		flag, ok := flags[key.Value]
		if !ok {
			var names []string
			for name := range flags {
				names = append(names, name)
			}
			slices.Sort(names)
			return nil, fmt.Errorf("line %d: unknown key %q: want %s", key.Line, key.Value, strings.Join(names, ", "))
		}
		if _, ok := values[key.Value]; ok {
			return nil, fmt.Errorf("line %d: %s is given twice", key.Line, key.Value)
		}
		v, err := settingOf(node, flag)
		if err != nil {
			return nil, fmt.Errorf("line %d: %s: %w", key.Line, key.Value, err)
		}
		values[key.Value] = setting{v, key.Line}
	}
	return values, nil
}

func settingOf(node *yaml.Node, f *kong.Flag) (any, error) {
	if !f.IsSlice() {
		return textOf(node, f)
	}
	nodes := []*yaml.Node{node}
	if node.Kind == yaml.SequenceNode {
		nodes = node.Content
	}
	list := []any{}
	for _, n := range nodes {
		text, err := textOf(n, f)
		if err != nil {
			return nil, err
		}
		list = append(list, text)
	}
	return list, nil
}

func textOf(node *yaml.Node, f *kong.Flag) (string, error) {
	text := f.Target.Kind() == reflect.String || f.IsSlice()
	switch {
	case node.Kind != yaml.ScalarNode && f.IsSlice():
		return "", errors.New("want a list of texts")
	case node.Kind != yaml.ScalarNode:
		return "", errors.New("want one text")
	case node.Tag == "!!null":
		return "", errors.New("has no value")
	case text && node.Tag != "!!str":
		return "", fmt.Errorf("want a text: put %s in quotes", node.Value)
	case strings.HasPrefix(node.LineComment, "#") && !strings.HasPrefix(node.LineComment, "# "):
		// A rule such as "cats #dogs" would lose half of what it says.
		return "", errors.New("what stands behind # is a comment in YAML: put the text in quotes")
	}
	return node.Value, checkEnum(f, node.Value)
}
