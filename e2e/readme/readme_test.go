// Package readme_test holds the README to the letter.
package readme_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../.."

func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The program in the README builds, as it stands there.
func TestProgramBuilds(t *testing.T) {
	programs := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(readme(t), -1)
	if len(programs) == 0 {
		t.Fatal("the README has no program")
	}
	for _, p := range programs {
		dir := t.TempDir()
		write := func(name, content string) string {
			path := filepath.Join(dir, name)
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			return path
		}
		here, err := filepath.Abs("program/main.go")
		if err != nil {
			t.Fatal(err)
		}
		overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{here: write("main.go", p[1])}})
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("go", "build", "-overlay", write("overlay.json", string(overlay)), "-o", filepath.Join(dir, "program"), "./program").CombinedOutput()
		if err != nil {
			t.Errorf("go build: %v\n%s", err, out)
		}
	}
}

// Every package and file that the README names is there.
func TestPathsAreThere(t *testing.T) {
	text := readme(t)
	named := regexp.MustCompile("\\./(examples/\\w+)|`((?:sources|sinks|examples|contrib|journal|xtest|sinktest)(?:/\\w+)?)`|\\]\\(([^):#]+)\\)").FindAllStringSubmatch(text, -1)
	if len(named) < 5 {
		t.Fatalf("only %d paths found in the README", len(named))
	}
	for _, m := range named {
		path := m[1] + m[2] + m[3]
		if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(path))); err != nil {
			t.Errorf("the README names %s: %v", path, err)
		}
	}
	for _, command := range []string{"go test work", "bash .ci/run"} {
		if !strings.Contains(text, command) {
			t.Errorf("the README does not say %q", command)
		}
	}
}
