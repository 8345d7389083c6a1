package hosts_test

import (
	"testing"

	"github.com/tweetstream-go/tweetstream/internal/hosts"
)

func TestHas(t *testing.T) {
	l := hosts.New("Feed.example.com", "[2001:DB8:0::1]", "192.0.2.1")
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST.:80": true, "127.0.0.1:1": true, "127.9.9.9": true, "[::1]:80": true, "[::1]": true, "[::ffff:127.0.0.1]": true,
		"feed.EXAMPLE.com.:443": true, "[2001:db8::1]:443": true, "192.0.2.1": true, "[::ffff:192.0.2.1]": true,
		"": false, "evil.example": false, "localhost.evil.example": false, "127.0.0.1.nip.io": false, "0.0.0.0": false, "192.0.2.2": false,
		"x.feed.example.com": false, "*": false, "[::]": false,
	} {
		if got := l.Has(host); got != want {
			t.Errorf("Has(%q) = %v", host, got)
		}
	}
	if !hosts.New("*").Has("evil.example") {
		t.Error("* does not stand for any")
	}
	if none := hosts.List(nil); !none.Has("localhost") || none.Has("feed.example.com") {
		t.Error("the nil List is not that of the loopback interface")
	}
}

func TestValid(t *testing.T) {
	for name, want := range map[string]bool{
		"*": true, "example.com": true, "a_b": true, "[2001:db8::1]": true, "2001:db8::1": true, "192.0.2.1": true,
		"": false, "a:80": false, "127.0.0.1:80": false, "[::1]:80": false, "https://a": false, "a b": false, "*.example.com": false,
	} {
		if got := hosts.Valid(name); got != want {
			t.Errorf("Valid(%q) = %v", name, got)
		}
	}
}
