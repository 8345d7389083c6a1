package xtest

import (
	"context"
	"fmt"
	"net"
	"net/http"

	"github.com/tweetstream-go/tweetstream/internal/memnet"
)

// memoryClient returns a client whose every connection to addr goes through l.
func memoryClient(l *memnet.Listener, addr string) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DisableCompression: true, // unless a request asks for it by itself
		DialContext: func(ctx context.Context, network, to string) (net.Conn, error) {
			if to != addr {
				return nil, fmt.Errorf("xtest: this client reaches %s only, not %s", addr, to)
			}
			return l.Dial(ctx, network, to)
		},
	}}
}
