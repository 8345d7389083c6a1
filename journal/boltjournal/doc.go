// Package boltjournal keeps the log of a Streamer on disk, in one file of bbolt:
//
//	j, err := boltjournal.Open("/var/lib/mine/journal")
//	…
//	defer j.Close()
//	s, err := tweetstream.New(src, tweetstream.WithJournal(j), …)
//
// # What is durable, and when
//
// When Append has returned nil, its tweets and the source's state are on the
// disk, through kill -9 and loss of power; with an error, neither is there. The
// same holds for the cursors of Commit. Each transaction costs two syncs. It
// begins at once; what is brought while it is on its way goes in the next one.
//
// # What is kept
//
// Tweets that all sinks have passed are dropped, some thousands at a time, unless
// [History] keeps them; those of the newest part stay. Their ids are kept longer,
// a million of them, so that repeats are known after a restart. A sink's name that
// no running program has used for 7 days is forgotten, with a line in the log, and
// holds nothing any more. This is not done in the first minute after a program's
// sinks have said their names, so that its own are never forgotten.
//
// # Limits
//
// With [Limit] (8 GiB) of bytes in use, or less than [FreeDisk] (512 MiB) on the
// disk, Append returns [ErrFull], and the Streamer holds the source and tries
// again. Nothing is dropped to make room but history. Commit works on, so that
// sinks which catch up make room. At 70 % and 90 % of the limit there is a
// warning. The file itself never shrinks: its free pages are used again, and
// [Compact] makes a smaller one while no program runs.
//
// # Standby
//
// A second process waits in Start until the first has ended, in whatever way, and
// takes over within a second. It says so once in the log. The lock is bbolt's
// (flock on Unix); the file must be on a local disk.
//
// # Damage
//
// Every entry has a checksum. One that is not whole is left out, counted
// ([Stats]) and logged with its position and, where that is known, its id; sinks
// go on with the next one. The Streamer counts it as lost for each sink. Where
// the pages that hold everything together are damaged, Start or Append return an
// error that holds [ErrDamaged]; [Salvage] then copies what is whole.
//
// bbolt's pages have no checksums of their own. Their references are looked
// through before bbolt follows them, so that one which leads in a circle, or to a
// free page, is found. What is not found: several that are damaged so that they
// fit one another, and damage that comes while the file is in use.
//
// # Files
//
// The folder is made with mode 0700, the file with 0600. Symbolic links are
// refused. In the folder are journal.db and, for a while, journal.db.compact.
package boltjournal
