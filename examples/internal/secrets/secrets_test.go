package secrets_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tweetstream-go/tweetstream/examples/internal/secrets"
)

const canary = "kanarienvogel"

func write(t *testing.T, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret.txt")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask is
		t.Fatal(err)
	}
	return path
}

func TestRead(t *testing.T) {
	for mode, want := range map[os.FileMode]string{0o600: "", 0o400: "", 0o640: "mode=-rw-r-----", 0o604: "mode=-rw----r--", 0o660: "mode=-rw-rw----"} {
		path := write(t, canary+"\n", mode)
		f, err := secrets.Read(path)
		if err != nil || f.Text != canary+"\n" {
			t.Fatalf("Read() = %v, %v", f, err)
		}
		var log bytes.Buffer
		f.Warn(slog.New(slog.NewTextHandler(&log, nil)))
		said := log.String()
		if (said == "") != (want == "") || !strings.Contains(said, want) || want != "" && (!strings.Contains(said, "level=WARN") || !strings.Contains(said, path)) || strings.Contains(said, canary) {
			t.Errorf("mode %v: logged %q, want %q", mode, said, want)
		}
	}
	var none *secrets.File
	none.Warn(nil)
}

func TestReadRefuses(t *testing.T) {
	for path, want := range map[string]string{
		"whsec_" + canary: "not the secret",
		"none.txt":        "open none.txt: no such file",
		"":                "no such file",
		t.TempDir():       "is a directory",
		write(t, strings.Repeat(canary, 10_000), 0o600): "more than 65536 bytes",
	} {
		if f, err := secrets.Read(path); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), canary) {
			t.Errorf("Read(%q) = %v, %v, want %q", path, f, err, want)
		}
	}
}
