package main_test

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tweetstream-go/tweetstream/xtest"
)

// A simulator has the faults that it was started with, and takes more by HTTP; the
// Posts come all the same.
func TestSimulateFaults(t *testing.T) {
	sim, url := simulate(t, "--rate", "100", "--faults", "html200 500ms:garbage")
	out := filepath.Join(t.TempDir(), "out.ndjson")
	p := start(t, "--api-url", url, "--tag", "coop", "--to", "file:"+out)
	says := func(text string) func() bool {
		return func() bool { return strings.Contains(p.stderr.String(), text) }
	}
	p.eventually("the HTML page is named", says("an HTML page, from a proxy perhaps"))
	p.eventually("the garbage is named", says("messages that are no Posts"))
	resp, err := http.Post(url+"/_faults", "text/plain", strings.NewReader("disconnect=SlowReader"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		t.Errorf("POST /_faults: %s", resp.Status)
	}
	p.eventually("the disconnect is named", says("read too slowly"))
	before := bytes.Count(read(t, out), []byte("\n"))
	p.eventually("Posts come again", func() bool { return bytes.Count(read(t, out), []byte("\n")) > before+10 })
	p.stop(os.Interrupt)
	sim.stop(os.Interrupt)
}

func TestTokenCredential(t *testing.T) {
	const canary = "CANARY0s3cret0CANARY"
	x := newServer(t, xtest.Token(canary), xtest.Rate(100))
	credentials := t.TempDir()
	write(t, filepath.Join(credentials, "bearer"), canary+"\n")
	out := filepath.Join(t.TempDir(), "out.ndjson")
	p := command{
		dir:  t.TempDir(),
		env:  []string{"CREDENTIALS_DIRECTORY=" + credentials},
		args: []string{"--api-url", x.URL, "--tag", "coop", "--token-credential", "bearer", "--to", "file:" + out},
	}.start(t)
	p.eventually("Posts come", func() bool { return len(read(t, out)) > 0 })
	p.stop(os.Interrupt)
	if strings.Contains(p.stderr.String(), canary) {
		t.Errorf("the token is shown:\n%s", p.stderr.String())
	}
}
