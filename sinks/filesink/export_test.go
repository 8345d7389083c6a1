package filesink

import "github.com/tweetstream-go/tweetstream/internal/logfile"

// File is what a Sink needs of an open file.
type File = logfile.Disk

// Wrap puts f between s and its file, so that a test can break it.
func Wrap(s *Sink, f func(File) File) { s.out.(*archive).file.Wrap(f) }

const (
	RememberedLines = rememberedLines
	RememberedBytes = rememberedBytes
	MaxLine         = maxLine
	RetryAfter      = retryAfter
)
