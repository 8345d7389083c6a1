package webhooks_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sinks/httpsink"
	"github.com/tweetstream-go/tweetstream/sources/httpsource"
)

// config lets nginx take 16 kB at most, for bodies that come in time, and 30
// requests a second, behind TLS. It says goodbye to a connection after seven
// requests (GOAWAY).
const config = `
daemon off;
worker_processes 1;
pid {dir}/pid;
error_log {dir}/error.log;
events {}
http {
	access_log off;
	client_body_temp_path {dir}/body;
	proxy_temp_path {dir}/proxy;
	fastcgi_temp_path {dir}/fastcgi;
	uwsgi_temp_path {dir}/uwsgi;
	scgi_temp_path {dir}/scgi;
	limit_req_zone $binary_remote_addr zone=all:1m rate=30r/s;
	limit_req_status 429;
	server {
		listen {address} ssl http2;
		ssl_certificate {dir}/cert.pem;
		ssl_certificate_key {dir}/key.pem;
		client_max_body_size 16k;
		client_body_timeout 2s;
		keepalive_requests 7;
		location / {
			limit_req zone=all burst=5 nodelay;
			proxy_pass {upstream};
			proxy_set_header Host $host;
		}
	}
}
`

// proxy is an nginx.
type proxy struct {
	t    *testing.T
	args []string
	cmd  *exec.Cmd
	log  string
}

func newProxy(t *testing.T, address, upstream string) (*proxy, *x509.CertPool) {
	path, err := exec.LookPath("nginx")
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/nginx") // which is in no user's PATH
	}
	need(t, "nginx is not installed", err)
	dir := t.TempDir()
	certified := httptest.NewTLSServer(nil) // for its certificate
	defer certified.Close()
	key, err := x509.MarshalPKCS8PrivateKey(certified.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("{dir}", dir, "{address}", address, "{upstream}", upstream).Replace(config)
	if os.Getuid() == 0 {
		text = "user root;\n" + text // else the folder is not for its worker
	}
	for name, data := range map[string][]byte{
		"nginx.conf": []byte(text),
		"cert.pem":   pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certified.Certificate().Raw}),
		"key.pem":    pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool := x509.NewCertPool()
	pool.AddCert(certified.Certificate())
	p := &proxy{t: t, args: []string{path, "-p", dir, "-c", filepath.Join(dir, "nginx.conf"), "-e", filepath.Join(dir, "error.log")}, log: filepath.Join(dir, "error.log")}
	t.Cleanup(p.stop)
	return p, pool
}

// start starts nginx. It listens a moment later.
func (p *proxy) start() {
	p.t.Helper()
	p.cmd = exec.Command(p.args[0], p.args[1:]...)
	p.cmd.Stderr = os.Stderr
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
}

// stop ends nginx at once: requests under way get no answer.
func (p *proxy) stop() {
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	_ = p.cmd.Wait()
	p.cmd = nil
}

// posted is a source that emits its tweets and ends.
type posted []*tweetstream.Tweet

func (p posted) Stream(ctx context.Context, _ []byte, emit tweetstream.Emit) error {
	return emit(ctx, p, nil)
}

func (p posted) CanWait() bool { return true }

// Behind nginx with small limits, TLS and HTTP/2, which is ended and started
// again meanwhile: each Post arrives once, but for one that nginx never lets
// through, which is named.
func TestBehindNginx(t *testing.T) {
	const posts = 1_200
	for name, opts := range map[string][]httpsink.Option{"plain": nil, "gzip": {httpsink.Gzip()}} {
		t.Run(name, func(t *testing.T) {
			upstream, ids := receive(t, httpsource.Secret(secret))
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			address := l.Addr().String()
			_ = l.Close()
			nginx, pool := newProxy(t, address, upstream)
			nginx.start()

			transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}
			defer transport.CloseIdleConnections()
			var mu sync.Mutex
			statuses := map[string]int{}
			note := httpsink.Classify(func(resp *http.Response, _ []byte, err error) error {
				mu.Lock()
				defer mu.Unlock()
				statuses[fmt.Sprint(resp.Proto, " ", resp.StatusCode)]++
				return err
			})
			to, err := httpsink.New("https://"+address+"/", append(opts, httpsink.Secret(secret), httpsink.Client(&http.Client{Transport: transport}), note)...)
			if err != nil {
				t.Fatal(err)
			}
			var sent posted
			var want []string
			for id := range posts {
				text := strings.Repeat(fmt.Sprint("text ", id, " "), 100)
				if id == 700 {
					text = randomText()
				} else {
					want = append(want, fmt.Sprint(id))
				}
				sent = append(sent, parse(t, message(id, text)))
			}
			var dead []string
			var deadMu sync.Mutex
			bury := func(_ context.Context, letters []tweetstream.Letter) error {
				deadMu.Lock()
				defer deadMu.Unlock()
				for _, l := range letters {
					dead = append(dead, l.Tweet.ID+" "+string(l.Reason))
				}
				return nil
			}
			s, err := tweetstream.New(sent, tweetstream.WithDeadLetter(bury), tweetstream.WithSink("http", to,
				tweetstream.Batch(20, 0), tweetstream.Parallel(2), tweetstream.Retry(20*time.Millisecond, 200*time.Millisecond), tweetstream.Timeout(5*time.Second)))
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
			defer cancel()
			done := make(chan error, 1)
			go func() { done <- s.Run(ctx) }()
			for i := range 2 {
				delivered(ctx, t, s, uint64(i+1)*posts/4)
				nginx.stop()
				failures := s.Stats().Sinks[0].Failures
				waitFor(ctx, t, func() bool { return s.Stats().Sinks[0].Failures > failures })
				nginx.start()
			}
			if err := <-done; err != nil {
				t.Errorf("Run() = %v", err)
			}
			got := ids()
			if !slices.Equal(dead, []string{"700 rejected"}) {
				t.Errorf("dead letter: %v", dead)
			}
			slices.SortFunc(got, byNumber)
			if !slices.Equal(got, want) {
				t.Errorf("%d Posts arrived, want %d", len(got), len(want))
			}
			t.Log(statuses, s.Stats().Sinks[0].Failures)
			if statuses["HTTP/2.0 413"] == 0 || statuses["HTTP/2.0 429"] == 0 || statuses["HTTP/2.0 204"] == 0 {
				log, _ := os.ReadFile(nginx.log)
				t.Errorf("answers: %v\n%s", statuses, bytes.TrimSpace(log))
			}
		})
	}
}

// randomText is what gzip does not make smaller.
func randomText() string {
	var b strings.Builder
	n := uint64(1)
	for range 40_000 {
		n = n*6364136223846793005 + 1442695040888963407
		b.WriteByte("abcdefghijklmnopqrstuvwxyz0123456789"[(n>>33)%36])
	}
	return b.String()
}

func byNumber(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

func delivered(ctx context.Context, t *testing.T, s *tweetstream.Streamer, n uint64) {
	t.Helper()
	waitFor(ctx, t, func() bool { return len(s.Stats().Sinks) > 0 && s.Stats().Sinks[0].Delivered >= n })
}

func waitFor(ctx context.Context, t *testing.T, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("it has not come in time")
		}
	}
}
