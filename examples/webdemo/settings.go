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
	values map[string]any    // of the file, by flag
	origin map[string]string // of the flags that are given: the file, or "" for the command line
}

// Given returns a flag as errors name it. It is for xflags.
func (s settings) Given(flag string) string {
	if file := s.origin[flag]; file != "" {
		return fmt.Sprintf("--%s (%s)", flag, file)
	}
	return "--" + flag
}

// OneOf returns which of these forms of one setting is given, "" if none is. One on
// the command line goes before one in the file.
func (s settings) OneOf(flags ...string) (form string, err error) {
	for _, flag := range flags {
		file, given := s.origin[flag]
		switch {
		case !given, form != "" && file != "" && s.origin[form] == "":
		case form == "", file == "" && s.origin[form] != "":
			form, err = flag, nil
		default:
			err = fmt.Errorf("want %s or %s, not both", s.Given(form), s.Given(flag))
		}
	}
	return form, err
}

func (s settings) given(flag string) bool {
	_, given := s.origin[flag]
	return given
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
		s.origin[p.Flag.Name] = ""
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
		s.values[name] = value
		if !s.given(name) {
			s.origin[name] = file
		}
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
