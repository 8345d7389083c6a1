package tweetstream_test

import (
	"cmp"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the table of LOG.md anew")

const (
	logFile  = "LOG.md"
	logBegin = "<!-- begin -->\n"
	logEnd   = "<!-- end -->\n"
)

// No log call uses a message or a key that LOG.md does not name, nor does LOG.md
// name others. After a change: go test -run TestLogVocabulary -update .
func TestLogVocabulary(t *testing.T) {
	events, keys := logCalls(t)
	data, err := os.ReadFile(logFile)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(data), logBegin)
	table, tail, ok2 := strings.Cut(rest, logEnd)
	if !ok || !ok2 {
		t.Fatalf("%s has no %q and %q", logFile, logBegin, logEnd)
	}
	if *update {
		if err := os.WriteFile(logFile, []byte(head+logBegin+events+logEnd+tail), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if diff := gocmp.Diff(strings.Split(table, "\n"), strings.Split(events, "\n")); diff != "" {
		t.Errorf("the events of %s are others than those of the code (-said +logged):\n%s", logFile, diff)
	}
	explained := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| ((?:`[a-z_]+`(?:, )?)+) \\|").FindAllStringSubmatch(head, -1) {
		for _, key := range strings.Split(m[1], ", ") {
			explained[strings.Trim(key, "`")] = true
		}
	}
	if diff := gocmp.Diff(slices.Sorted(maps.Keys(explained)), slices.Sorted(maps.Keys(keys))); diff != "" {
		t.Errorf("the keys of %s are others than those of the code (-said +logged):\n%s", logFile, diff)
	}
}

// logCalls returns the table of all log calls, and their keys.
func logCalls(t *testing.T) (table string, keys map[string]bool) {
	t.Helper()
	folders := map[string][]*ast.File{}
	files := token.NewFileSet()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (path == "e2e" || path == "shared" || len(path) > 1 && path[0] == '.' || d.Name() == "testdata" || d.Name() == "node_modules"):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		f, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		folders[filepath.ToSlash(filepath.Dir(path))] = append(folders[filepath.ToSlash(filepath.Dir(path))], f)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	keys = map[string]bool{}
	var b strings.Builder
	for _, folder := range slices.Sorted(maps.Keys(folders)) {
		p := logPackage{t: t, files: files, asts: folders[folder], events: map[string]map[string]bool{}, keys: keys}
		p.scan()
		if len(p.events) == 0 {
			continue
		}
		if folder == "." {
			folder = "tweetstream"
		}
		fmt.Fprintf(&b, "\n### %s\n\n| level | message | keys |\n|---|---|---|\n", folder)
		for _, event := range slices.SortedFunc(maps.Keys(p.events), func(x, y string) int {
			rank := func(s string) int { return strings.Index("Error Warn Info Debug any", s[:strings.Index(s, " |")]) }
			return cmp.Or(cmp.Compare(rank(x), rank(y)), cmp.Compare(x, y))
		}) {
			fmt.Fprintf(&b, "| %s | %s |\n", event, strings.Join(slices.Sorted(maps.Keys(p.events[event])), " "))
		}
	}
	return b.String() + "\n", keys
}

// A logPackage is one whose log calls are looked for.
type logPackage struct {
	t      *testing.T
	files  *token.FileSet
	asts   []*ast.File
	events map[string]map[string]bool // the keys, by level and message
	keys   map[string]bool
}

var isLogger = regexp.MustCompile(`(?i)(^|\.)(logger|log)(\(|$)`)

func (p *logPackage) scan() {
	p.functions(func(fn *ast.FuncDecl) {
		ast.Inspect(fn, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			method, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || !isLogger.MatchString(p.text(method.X)) {
				return true
			}
			args, level := call.Args, method.Sel.Name
			switch level {
			case "Debug", "Info", "Warn", "Error":
			case "Log":
				args, level = args[2:], "any"
			case "With":
				p.pairs(fn, args, p.keys)
				return true
			case "DebugContext", "InfoContext", "WarnContext", "ErrorContext", "LogAttrs":
				p.t.Errorf("%s: %s is not used here", p.files.Position(call.Pos()), level)
				return true
			default:
				return true
			}
			if len(args) == 0 { // the method of something else
				return true
			}
			messages := p.texts(fn, args[0])
			if len(messages) == 0 {
				p.t.Errorf("%s: the message is no constant", p.files.Position(call.Pos()))
			}
			for _, message := range messages {
				event := level + " | " + message
				if p.events[event] == nil {
					p.events[event] = map[string]bool{}
				}
				if call.Ellipsis.IsValid() {
					p.list(fn, args[1], p.events[event])
				} else {
					p.pairs(fn, args[1:], p.events[event])
				}
				maps.Copy(p.keys, p.events[event])
			}
			return true
		})
	})
}

func (p *logPackage) functions(f func(*ast.FuncDecl)) {
	for _, file := range p.asts {
		for _, d := range file.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Body != nil {
				f(fn)
			}
		}
	}
}

func (p *logPackage) text(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return p.text(e.X) + "." + e.Sel.Name
	case *ast.CallExpr:
		return p.text(e.Fun) + "("
	}
	return ""
}

// texts returns what a message can be: a constant, a variable or parameter that
// only constants go into, or one of these in front of a constant.
func (p *logPackage) texts(fn *ast.FuncDecl, e ast.Expr) (all []string) {
	switch e := e.(type) {
	case *ast.BasicLit:
		if s, err := strconv.Unquote(e.Value); err == nil {
			return []string{s}
		}
	case *ast.BinaryExpr:
		for _, s := range p.texts(fn, e.Y) {
			all = append(all, "…"+s)
		}
	case *ast.Ident:
		ast.Inspect(fn, func(n ast.Node) bool {
			var names, values []ast.Expr
			switch n := n.(type) {
			case *ast.AssignStmt:
				names, values = n.Lhs, n.Rhs
			case *ast.ValueSpec:
				for _, name := range n.Names {
					names = append(names, name)
				}
				values = n.Values
			}
			for i, name := range names {
				if p.text(name) == e.Name && i < len(values) {
					all = append(all, p.texts(fn, values[i])...)
				}
			}
			return true
		})
		at := 0
		for _, param := range fn.Type.Params.List {
			for _, name := range param.Names {
				if name.Name == e.Name {
					all = append(all, p.given(fn.Name.Name, at)...)
				}
				at++
			}
		}
	}
	return all
}

// given returns the constants that are given for a parameter.
func (p *logPackage) given(function string, at int) (all []string) {
	p.functions(func(fn *ast.FuncDecl) {
		ast.Inspect(fn, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok && strings.HasSuffix("."+p.text(call.Fun), "."+function) && at < len(call.Args) {
				if _, ok := call.Args[at].(*ast.BasicLit); ok {
					all = append(all, p.texts(fn, call.Args[at])...)
				}
			}
			return true
		})
	})
	return all
}

// pairs adds the keys of keys and values.
func (p *logPackage) pairs(fn *ast.FuncDecl, args []ast.Expr, keys map[string]bool) {
	for len(args) > 0 {
		if group, ok := args[0].(*ast.CallExpr); ok && p.text(group.Fun) == "slog.Group" {
			if _, ok := group.Args[0].(*ast.BasicLit); ok { // not one by the name of a sink
				p.pairs(fn, group.Args[:1], keys)
			}
			if !group.Ellipsis.IsValid() {
				p.pairs(fn, group.Args[1:], keys)
			}
			args = args[1:]
			continue
		}
		found := p.texts(fn, args[0])
		if len(found) == 0 {
			p.t.Errorf("%s: the key is no constant", p.files.Position(args[0].Pos()))
		}
		for _, key := range found {
			keys[key] = true
		}
		args = args[min(2, len(args)):]
	}
}

// list adds the keys of a list that the function, or the one called, makes.
func (p *logPackage) list(fn *ast.FuncDecl, e ast.Expr, keys map[string]bool) {
	if call, ok := e.(*ast.CallExpr); ok {
		name := p.text(call.Fun)
		for _, arg := range call.Args {
			if inner, ok := arg.(*ast.CallExpr); ok {
				p.list(fn, inner, keys)
			}
		}
		p.functions(func(f *ast.FuncDecl) {
			if strings.HasSuffix("."+name, "."+f.Name.Name) && f != fn {
				p.made(f, keys)
			}
			ast.Inspect(f, func(n ast.Node) bool { // or a field that holds a function
				if kv, ok := n.(*ast.KeyValueExpr); ok && strings.HasSuffix(name, "."+p.text(kv.Key)) {
					p.madeIn(f, kv.Value, keys)
				}
				return true
			})
		})
		return
	}
	p.made(fn, keys)
}

func (p *logPackage) made(fn *ast.FuncDecl, keys map[string]bool) { p.madeIn(fn, fn.Body, keys) }

func (p *logPackage) madeIn(fn *ast.FuncDecl, in ast.Node, keys map[string]bool) {
	ast.Inspect(in, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CompositeLit:
			if list, ok := n.Type.(*ast.ArrayType); ok && p.text(list.Elt) == "any" {
				p.pairs(fn, n.Elts, keys)
			}
		case *ast.CallExpr:
			if p.text(n.Fun) != "append" || len(n.Args) < 2 {
				return true
			}
			if n.Ellipsis.IsValid() {
				if _, ok := n.Args[1].(*ast.CallExpr); ok {
					p.list(fn, n.Args[1], keys)
				}
				return true
			}
			if lit, ok := n.Args[1].(*ast.BasicLit); ok && lit.Kind == token.STRING && len(n.Args)%2 == 1 {
				p.pairs(fn, n.Args[1:], keys)
			} else if _, ok := n.Args[1].(*ast.CallExpr); ok && p.text(n.Args[1].(*ast.CallExpr).Fun) == "slog.Group" {
				p.pairs(fn, n.Args[1:], keys)
			}
		}
		return true
	})
}
