package tweetstream_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/tweetstream-go/tweetstream"

// required are the only modules that the root module may ask for. What brings
// another client library is a module of its own, so that getting this one stays
// cheap.
var required = []string{
	"github.com/cenkalti/backoff/v4",
	"github.com/g8rswimmer/go-twitter/v2",
	"github.com/gobwas/ws",
	"github.com/google/go-cmp",
	"go.etcd.io/bbolt",
	// What these ask for by themselves.
	"github.com/gobwas/httphead",
	"github.com/gobwas/pool",
	"golang.org/x/sys",
}

func TestRequirements(t *testing.T) {
	data, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^\s*(?:require )?(\S+) v\S+`).FindAllStringSubmatch(string(data), -1) {
		if !slices.Contains(required, m[1]) {
			t.Errorf("go.mod requires %s, which is not on the list", m[1])
		}
	}
	if strings.Contains(string(data), "replace") {
		t.Error("go.mod of the root replaces a module: whoever gets it would get another")
	}
}

// sources returns the parsed Go files of the module in root, by folder; nested
// modules are left out.
func sources(t *testing.T, root string) (*token.FileSet, map[string][]*ast.File) {
	t.Helper()
	set := token.NewFileSet()
	files := map[string][]*ast.File{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if _, err := os.Stat(filepath.Join(path, "go.mod")); path != root && (err == nil || strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "node_modules") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		f, err := parser.ParseFile(set, path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		files[filepath.ToSlash(filepath.Dir(path))] = append(files[filepath.ToSlash(filepath.Dir(path))], f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return set, files
}

// The root package imports the standard library, backoff and internal/ only; the
// other packages of its module no more than is required, and nothing imports
// examples or e2e.
func TestImports(t *testing.T) {
	set, all := sources(t, ".")
	if len(all) < 5 {
		t.Fatalf("only %d packages found", len(all))
	}
	for dir, files := range all {
		for _, f := range files {
			name := set.File(f.Pos()).Name()
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			for _, spec := range f.Imports {
				path := strings.Trim(spec.Path.Value, `"`)
				first, _, _ := strings.Cut(path, "/")
				ours, inside := strings.CutPrefix(path, module+"/")
				switch {
				case !strings.Contains(first, "."):
				case dir == "." && path != "github.com/cenkalti/backoff/v4" && !(inside && strings.HasPrefix(ours, "internal/")):
					t.Errorf("%s: the root package imports %s", name, path)
				case inside && (strings.HasPrefix(ours, "examples") || strings.HasPrefix(ours, "e2e")):
					t.Errorf("%s: imports %s", name, path)
				case !inside && path != module && !slices.ContainsFunc(required, func(m string) bool { return path == m || strings.HasPrefix(path, m+"/") }):
					t.Errorf("%s: imports %s, which is not on the list", name, path)
				}
			}
		}
	}
}

// Every exported name has a comment, and every package one of its own.
func TestComments(t *testing.T) {
	for _, root := range []string{".", "examples", "e2e"} {
		if _, err := os.Stat(root); err != nil {
			continue // not in a copy of the root module alone
		}
		set, all := sources(t, root)
		for dir, files := range all {
			documented, tests := false, true
			for _, f := range files {
				name := set.File(f.Pos()).Name()
				if f.Doc != nil {
					documented = true
					// A blank line in it would cut off what stands above.
					if first, _, _ := strings.Cut(f.Doc.Text(), " "); first != "Package" && f.Name.Name != "main" {
						t.Errorf("%s: the package's comment begins with %q", name, first)
					}
				}
				if strings.HasSuffix(name, "_test.go") {
					continue
				}
				tests = false
				for _, decl := range f.Decls {
					for _, bare := range uncommented(decl) {
						t.Errorf("%s: %s has no comment", set.Position(bare.Pos()), bare.Name)
					}
				}
			}
			if !documented && !tests {
				t.Errorf("package in %s has no comment", dir)
			}
		}
	}
}

// uncommented returns the exported names that a declaration says nothing about.
func uncommented(decl ast.Decl) (bare []*ast.Ident) {
	check := func(doc *ast.CommentGroup, names ...*ast.Ident) {
		for _, n := range names {
			if n.IsExported() && doc == nil {
				bare = append(bare, n)
			}
		}
	}
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil || receiverExported(d.Recv) && !standardMethod(d.Name.Name) {
			check(d.Doc, d.Name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				check(first(s.Doc, d.Doc), s.Name)
			case *ast.ValueSpec:
				check(first(s.Doc, s.Comment, d.Doc), s.Names...)
			}
		}
	}
	return bare
}

// standardMethod reports whether a method is known to every reader.
func standardMethod(name string) bool {
	return slices.Contains([]string{"Error", "Unwrap", "String"}, name)
}

func first(docs ...*ast.CommentGroup) *ast.CommentGroup {
	for _, d := range docs {
		if d != nil {
			return d
		}
	}
	return nil
}

func receiverExported(recv *ast.FieldList) bool {
	typ := recv.List[0].Type
	for {
		switch x := typ.(type) {
		case *ast.StarExpr:
			typ = x.X
		case *ast.IndexExpr:
			typ = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return false
		}
	}
}
