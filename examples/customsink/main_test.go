package main_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestCustomSink(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "customsink.exe")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	out, err := exec.CommandContext(t.Context(), binary, "-n", "3").Output()
	if err != nil {
		t.Fatalf("customsink -n 3: %v", err)
	}
	posts := strings.Count(string(out), " @")
	if _, counts, ok := strings.Cut(string(out), "map["); posts < 3 || !ok || !strings.Contains(counts, ":") {
		t.Errorf("customsink -n 3 prints %q, want 3 Posts or more and their languages", out)
	}
}
