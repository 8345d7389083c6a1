module github.com/tweetstream-go/tweetstream/examples

go 1.26

require (
	github.com/alecthomas/kong v1.17.0
	github.com/creack/pty v1.1.24
	github.com/gobwas/ws v1.5.0
	github.com/google/go-cmp v0.7.0
	github.com/tweetstream-go/tweetstream v0.0.0
	go.yaml.in/yaml/v3 v3.0.4
	golang.org/x/term v0.45.0
)

require (
	github.com/cenkalti/backoff/v4 v4.3.0 // indirect
	github.com/g8rswimmer/go-twitter/v2 v2.1.5 // indirect
	github.com/gobwas/httphead v0.1.0 // indirect
	go.etcd.io/bbolt v1.5.0 // indirect
	golang.org/x/sys v0.47.0 // indirect
)

replace github.com/tweetstream-go/tweetstream => ../
