package httpsink

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"time"
)

var errNotPublic = errors.New("the address is of this machine, a private network or none that the Internet routes: PublicOnly refuses it")

// publicDialer returns a dialer that connects to public addresses only. It looks
// at the address that a connection is about to go to: what the name stood for a
// moment ago says nothing.
func publicDialer() *net.Dialer {
	d := dialer()
	d.Control = func(_, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil || !public(to.Addr()) {
			return errNotPublic
		}
		return nil
	}
	return d
}

func dialer() *net.Dialer {
	return &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}
}

// notPublicName reports whether the host of a URL is certainly not public.
func notPublicName(host string) bool {
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(name)
	return err == nil && !public(addr)
}

// notPublic are addresses of IPv4 that are not for the Internet, see
// https://www.iana.org/assignments/iana-ipv4-special-registry, and the one where
// the virtual machines of Azure reach their host.
var notPublic = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
	"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3", "168.63.129.16/32",
)

// Of IPv6, only what is global unicast is public, but for these parts of it:
// protocols (Teredo among them), documentation, and 6to4, which stands for any
// address of IPv4.
var (
	global     = netip.MustParsePrefix("2000::/3")
	notPublic6 = prefixes("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
	nat64      = netip.MustParsePrefix("64:ff9b::/96")
)

func prefixes(texts ...string) (all []netip.Prefix) {
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

func public(addr netip.Addr) bool {
	if addr.Zone() != "" {
		return false
	}
	addr = addr.Unmap()
	if nat64.Contains(addr) { // its last bytes are of IPv4
		b := addr.As16()
		addr = netip.AddrFrom4([4]byte(b[12:]))
	}
	refused := notPublic
	if addr.Is6() {
		if !global.Contains(addr) {
			return false
		}
		refused = notPublic6
	}
	for _, p := range refused {
		if p.Contains(addr) {
			return false
		}
	}
	return true
}
