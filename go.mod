module github.com/tweetstream-go/tweetstream

go 1.26

require (
	github.com/cenkalti/backoff/v4 v4.3.0
	github.com/g8rswimmer/go-twitter/v2 v2.1.5
	github.com/gobwas/ws v1.5.0
	github.com/google/go-cmp v0.7.0
	go.etcd.io/bbolt v1.5.0
)

require (
	github.com/gobwas/httphead v0.1.0 // indirect
	golang.org/x/sys v0.45.0 // indirect
)
