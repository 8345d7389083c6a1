// Package hosts keeps the list of names that a server answers to. A page on any
// website can let a name of its own point to an address that its visitor reaches,
// 127.0.0.1 among them (DNS rebinding): the Host of such a request is on no list.
package hosts

import (
	"net"
	"net/netip"
	"strings"
)

// List is a set of hosts. The nil List has the names and addresses of the loopback
// interface alone, which every List has.
type List map[string]bool

// New returns the list of these names, for each of which Valid must hold. "*"
// stands for any.
func New(names ...string) List {
	l := List{}
	for _, name := range names {
		l[clean(name)] = true
	}
	return l
}

// Has reports whether a request with this Host is to be answered. The port is not
// looked at.
func (l List) Has(host string) bool {
	name := clean(host)
	if name == "localhost" || l[name] || l["*"] {
		return true
	}
	addr, err := netip.ParseAddr(name)
	return err == nil && addr.IsLoopback()
}

// Valid reports whether name is "*", a name or an address, without a port.
func Valid(name string) bool {
	if name == "*" {
		return true
	}
	address := name
	if inner, ok := strings.CutPrefix(name, "["); ok {
		address, _ = strings.CutSuffix(inner, "]")
	}
	if _, err := netip.ParseAddr(address); err == nil {
		return true
	}
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '.' || r == '_')
	})
}

// clean returns a Host without its port, in lower case and without the dot of the
// root; an address in one spelling, and without brackets.
func clean(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Unmap().String()
	}
	return host
}
