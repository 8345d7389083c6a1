package xtest_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tweetstream-go/tweetstream/xtest"
)

// Handshakes go wrong as the script says, so often, and then no more.
func TestFaultsOfHandshakes(t *testing.T) {
	for script, c := range map[string]struct {
		says        string
		fails       int
		least, most time.Duration // of the first answer
	}{
		"tls-cutx2":     {"EOF", 2, 0, 0},
		"tls-badcert":   {"certificate", 1, 0, 0},
		"tls-stall":     {"handshake timeout", 1, 5 * time.Second, 5 * time.Second},
		"tls-stall=3s":  {"", 0, 3 * time.Second, 3 * time.Second},
		"tls-cutx*":     {"EOF", 5, 0, 0},
		"tls-cutx* ok":  {"", 0, 0, 0},
		"tls-badcertx*": {"certificate", 5, 0, 0},
	} {
		t.Run(script, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := xtest.NewServer(xtest.InMemory(), xtest.TLS(), xtest.Faults(script))
				defer x.Close()
				x.Client().Transport.(*http.Transport).TLSHandshakeTimeout = 5 * time.Second
				failed := 0
				for i := range 5 {
					begin := time.Now()
					req, _ := http.NewRequest("GET", x.URL+"/2/usage/tweets", nil)
					req.Header.Set("Authorization", "Bearer any")
					resp, err := x.Client().Do(req)
					if took := time.Since(begin); i == 0 && (took < c.least || took > c.most) {
						t.Errorf("the first answer took %v, want %v", took, c.least)
					}
					if err == nil {
						resp.Body.Close()
						continue
					}
					if failed++; !strings.Contains(err.Error(), c.says) {
						t.Errorf("%v, want %q", err, c.says)
					}
				}
				if failed != c.fails {
					t.Errorf("%d of 5 requests failed, want %d", failed, c.fails)
				}
			})
		})
	}
}

// Over sockets too, a reset among the faults of the stream; a server without TLS
// has none of its faults.
func TestTLS(t *testing.T) {
	x := xtest.NewServer(xtest.TLS(), xtest.Rule("coop", "coop"))
	defer x.Close()
	if !strings.HasPrefix(x.URL, "https://127.0.0.1:") || !strings.Contains(string(x.CertificatePEM()), "BEGIN CERTIFICATE") {
		t.Errorf("URL %s, certificate %s", x.URL, x.CertificatePEM())
	}
	req, _ := http.NewRequest("GET", x.URL+"/2/tweets/search/stream", nil)
	req.Header.Set("Authorization", "Bearer any")
	resp, err := x.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := x.Inject("reset"); err != nil {
		t.Fatal(err)
	}
	if n, err := resp.Body.Read(make([]byte, 10)); n > 0 || err == nil {
		t.Errorf("Read() = %d, %v after a reset", n, err)
	}
	// Who does not know the certificate refuses it.
	var refused error
	if _, refused = http.Get(x.URL); refused == nil || !strings.Contains(refused.Error(), "certificate") {
		t.Errorf("without the certificate: %v", refused)
	}
	plain, err := xtest.New()
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	if err := plain.Inject("tls-cut"); err == nil || plain.TLSConfig() != nil || plain.CertificatePEM() != nil {
		t.Errorf("a server without TLS: Inject() = %v", err)
	}
	if _, err := xtest.New(xtest.Faults("tls-cut")); err == nil {
		t.Errorf("New() = %v", err)
	}
}
