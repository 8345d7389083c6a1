package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"
)

// settings are what flags are given. It is a kong.Resolver, which kong asks for
// the flags that are not on the command line.
type settings struct {
	values map[string]any  // of the file, by flag
	given  map[string]bool // by flag, wherever it is set
}

// Validate is called by kong.
func (s settings) Validate(*kong.Application) error { return nil }

// Resolve is called by kong.
func (s settings) Resolve(_ *kong.Context, _ *kong.Path, f *kong.Flag) (any, error) {
	return s.values[f.Name], nil
}

// BeforeResolve is called by kong when it has read the command line.
func (c *cli) BeforeResolve(ctx *kong.Context, s settings) error {
	file := ""
	for _, p := range ctx.Path {
		if p.Flag == nil {
			continue
		}
		s.given[p.Flag.Name] = true
		if p.Flag.Name == "config" {
			file = ctx.FlagValue(p.Flag).(string)
		}
	}
	return s.readFile(file, ctx.Flags())
}

const defaultFile = "webapp.yaml"

// readFile takes flags from the file, or from the default one if that is there.
func (s settings) readFile(file string, flags []*kong.Flag) error {
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
	var values map[string]any
	if err := yaml.Unmarshal(data, &values); err != nil {
		return fmt.Errorf("%s: %s", file, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	names := map[string]*kong.Flag{}
	for _, f := range flags {
		if f.Name != "help" && f.Name != "config" {
			names[f.Name] = f
		}
	}
	for name, v := range values {
		f, ok := names[name]
		if !ok {
			var known []string
			for n := range names {
				known = append(known, n)
			}
			slices.Sort(known)
			return fmt.Errorf("%s: unknown key %q: want %s", file, name, strings.Join(known, ", "))
		}
		value, err := valueOf(v, f)
		if err != nil {
			return fmt.Errorf("%s: %s: %w", file, name, err)
		}
		s.values[name], s.given[name] = value, true
	}
	return nil
}

// valueOf returns a value as kong takes it.
func valueOf(v any, f *kong.Flag) (any, error) {
	list, isList := v.([]any)
	switch _, isMap := v.(map[string]any); {
	case v == nil:
		return nil, errors.New("has no value")
	case isMap || isList && !f.IsSlice():
		return nil, errors.New("want one value")
	case !f.IsSlice():
		return fmt.Sprint(v), nil
	case !isList:
		list = []any{v}
	}
	texts := make([]any, len(list))
	for i, part := range list {
		text, ok := part.(string)
		if !ok {
			return nil, errors.New("want texts: put them in quotes")
		}
		texts[i] = text
	}
	return texts, nil
}
