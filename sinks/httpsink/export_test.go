package httpsink

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/netip"
)

// NewTransport returns the transport that a Sink uses by default.
func NewTransport() *http.Transport { return newTransport() }

// Trust makes the sink's own transport trust the certificates of a test.
func (s *Sink) Trust(pool *x509.CertPool) { s.own.TLSClientConfig = &tls.Config{RootCAs: pool} }

// Dial makes the sink's own transport dial with f.
func (s *Sink) Dial(f func(ctx context.Context, network, addr string) (net.Conn, error)) {
	s.own.DialContext = f
}

// Public reports whether PublicOnly lets a connection go to addr.
func Public(addr netip.Addr) bool { return public(addr) }

// PublicDialer returns the dialer of PublicOnly.
func PublicDialer() *net.Dialer { return publicDialer() }

// Proxied reports whether the sink's own transport uses proxies.
func (s *Sink) Proxied() bool { return s.own.Proxy != nil }

// Plain makes the sink's own transport speak HTTP/2 without TLS.
func (s *Sink) Plain() {
	s.own.Protocols = new(http.Protocols)
	s.own.Protocols.SetUnencryptedHTTP2(true)
}
