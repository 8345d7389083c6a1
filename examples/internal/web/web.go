// Package web is what the servers of the examples have in common: time-outs, and
// a list of the names that they answer to.
package web

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/tweetstream-go/tweetstream/internal/hosts"
)

// NewServer returns a server that gives up on whoever is slow to send a request
// or to take an answer. WebSocket connections are the handler's to watch.
func NewServer(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		WriteTimeout:      time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
}

// Shutdown lets requests under way end, but does not wait for long.
func Shutdown(s *http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return s.Close()
}

// IsLoopback reports whether only this machine reaches a host.
func IsLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// IsLoopbackAddr is IsLoopback of HOST:PORT. Without a host it is every address of
// the machine.
func IsLoopbackAddr(addr string) (bool, error) {
	host, _, err := net.SplitHostPort(addr)
	return IsLoopback(host), err
}

// Hosts returns by which names a server is asked for that listens on host: those
// of the loopback interface, host itself, and, if host stands for every address
// of the machine, each of them and the machine's name. They are without a port.
func Hosts(host string) []string {
	names := []string{"localhost", "127.0.0.1", "::1"}
	addr, err := netip.ParseAddr(cmp.Or(host, "::"))
	if err != nil || !addr.IsUnspecified() {
		return append(names, host)
	}
	if name, err := os.Hostname(); err == nil && name != "" {
		names = append(names, name)
	}
	addrs, _ := net.InterfaceAddrs() // without them there are the names
	for _, a := range addrs {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil {
			names = append(names, prefix.Addr().WithZone("").String())
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// OnlyHosts answers requests whose Host header names none of these with 421, so
// that a page elsewhere, which lets a name of its own point here, learns nothing
// (DNS rebinding). Ports are not looked at.
func OnlyHosts(names []string, next http.Handler) http.Handler {
	served := hosts.New(names...)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !served.Has(r.Host) {
			http.Error(w, "this Host is not served here", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}
