module github.com/tweetstream-go/tweetstream/e2e

go 1.26

require github.com/tweetstream-go/tweetstream v0.0.0

replace github.com/tweetstream-go/tweetstream => ../
