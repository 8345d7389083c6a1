package main_test

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
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

// With --tls the simulator's certificate is one that a streamer can be told to take,
// and handshakes go wrong too.
func TestSimulateTLS(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("SSL_CERT_FILE is not looked at here")
	}
	certificate := filepath.Join(t.TempDir(), "sim.pem")
	sim := start(t, "simulate", "--listen", "127.0.0.1:0", "--rate", "100", "--tls", certificate, "--faults", "tls-badcert tls-cut")
	at := regexp.MustCompile(`https://127\.0\.0\.1:\d+`)
	sim.eventually("the simulator's URL", func() bool { return at.MatchString(sim.stderr.String()) })
	p := command{
		env:  []string{"SSL_CERT_FILE=" + certificate, "TOKEN=any"},
		args: []string{"--api-url", at.FindString(sim.stderr.String()), "--tag", "coop", "--token-env", "TOKEN", "--budget", "none"},
	}.start(t)
	p.eventually("Posts come", func() bool { return strings.Contains(p.stdout.String(), "\n") })
	if want := "SSL_CERT_FILE=" + certificate + " TOKEN=any "; !strings.Contains(sim.stderr.String(), want) {
		t.Errorf("it does not say %q:\n%s", want, sim.stderr.String())
	}
	if !strings.Contains(p.stderr.String(), "failed to verify certificate") {
		t.Errorf("the bad certificate is not named:\n%s", p.stderr.String())
	}
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
