module github.com/tweetstream-go/tweetstream/e2e

go 1.26

require (
	github.com/google/go-cmp v0.7.0
	github.com/tweetstream-go/tweetstream v0.0.0
)

replace github.com/tweetstream-go/tweetstream => ../
