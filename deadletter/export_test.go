package deadletter

import "github.com/tweetstream-go/tweetstream/internal/logfile"

// Disk is what a File needs of an open file.
type Disk = logfile.Disk

// Wrap puts w between f and its file, so that a test can break it.
func Wrap(f *File, w func(Disk) Disk) { f.log.Wrap(w) }
