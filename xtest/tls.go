package xtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"sync"
	"time"
)

// TLS makes [NewServer] serve https, with a certificate of the server's own for
// localhost and the loopback addresses, which [Server.Client] trusts. By default it
// serves http.
func TLS() Option {
	return func(c *config) { c.tls = true }
}

// TLSConfig returns what a server of the caller's needs to serve a Server from
// [New] by https, faults of the handshake among it; nil without [TLS].
func (s *Server) TLSConfig() *tls.Config {
	if !s.cfg.tls {
		return nil
	}
	return &tls.Config{
		Certificates: []tls.Certificate{ownCertificate()},
		NextProtos:   []string{"h2", "http/1.1"},
		// Tickets are written when a client of net.Pipe may not read.
		SessionTicketsDisabled: true,
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			s.begin()
			return s.handshakes.next(hello)
		},
	}
}

// CertificatePEM returns the certificate of a server with [TLS], for clients that
// are to trust it; empty without.
func (s *Server) CertificatePEM() []byte {
	if !s.cfg.tls {
		return nil
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ownCertificate().Certificate[0]})
}

// ownCertificate and otherCertificate are made once a process: the second is for
// another host, and nobody trusts it.
var (
	ownCertificate   = sync.OnceValue(func() tls.Certificate { return newCertificate("localhost", net.IPv4(127, 0, 0, 1), net.IPv6loopback) })
	otherCertificate = sync.OnceValue(func() tls.Certificate { return newCertificate("proxy.example.com") })
)

func newCertificate(host string, addrs ...net.IP) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: host, Organization: []string{"xtest, a simulated X"}},
		DNSNames:     []string{host},
		IPAddresses:  addrs,
		NotBefore:    time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC), // a bubble's clock begins in 2000
		NotAfter:     time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC),
		KeyUsage:     x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IsCA:         true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// handshakes are the faults planned for the next ones.
type handshakes struct {
	mu    sync.Mutex
	plans []handshakePlan
}

type handshakePlan struct {
	left int // below 0: for ever
	do   func(net.Conn) (*tls.Config, error)
}

func (h *handshakes) plan(n int, do func(net.Conn) (*tls.Config, error)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.plans = append(h.plans, handshakePlan{n, do})
}

func (h *handshakes) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.plans = nil
}

func (h *handshakes) next(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	h.mu.Lock()
	if len(h.plans) == 0 {
		h.mu.Unlock()
		return nil, nil
	}
	do := h.plans[0].do
	if h.plans[0].left > 0 {
		h.plans[0].left--
	}
	if h.plans[0].left == 0 {
		h.plans = h.plans[1:]
	}
	h.mu.Unlock()
	return do(hello.Conn)
}

var errHandshake = errors.New("xtest: a fault of the handshake")

func cutHandshake(c net.Conn) (*tls.Config, error) {
	c.Close()
	return nil, errHandshake
}

func otherHost(net.Conn) (*tls.Config, error) {
	return &tls.Config{Certificates: []tls.Certificate{otherCertificate()}, SessionTicketsDisabled: true}, nil
}

// stallHandshake says nothing for d, or with 0 until the client leaves.
func stallHandshake(d time.Duration) func(net.Conn) (*tls.Config, error) {
	return func(c net.Conn) (*tls.Config, error) {
		c.SetDeadline(time.Time{})
		if d > 0 {
			c.SetReadDeadline(time.Now().Add(d))
		}
		// The client has nothing to say before the server has.
		_, err := c.Read(make([]byte, 1))
		var timeout net.Error
		if !errors.As(err, &timeout) || !timeout.Timeout() {
			return nil, errHandshake
		}
		c.SetDeadline(time.Now().Add(10 * time.Second))
		return nil, nil
	}
}
