module github.com/tweetstream-go/tweetstream/e2e

go 1.26

require (
	github.com/google/go-cmp v0.7.0
	github.com/tweetstream-go/tweetstream v0.0.0
)

require (
	github.com/cenkalti/backoff/v4 v4.3.0 // indirect
	github.com/g8rswimmer/go-twitter/v2 v2.1.5 // indirect
)

replace github.com/tweetstream-go/tweetstream => ../
