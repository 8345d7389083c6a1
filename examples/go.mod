module github.com/tweetstream-go/tweetstream/examples

go 1.26

require github.com/tweetstream-go/tweetstream v0.0.0

replace github.com/tweetstream-go/tweetstream => ../
