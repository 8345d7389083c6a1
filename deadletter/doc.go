// Package deadletter keeps the tweets that a sink will not get in a file, with
// the reason: a [tweetstream.DeadLetter] on disk.
//
//	dead, err := deadletter.Open("dead.ndjson", deadletter.Logger(logger))
//	…
//	s, err := tweetstream.New(src, tweetstream.WithDeadLetter(dead.Keep), …)
//	…
//	err = s.Run(ctx)
//	…
//	err = dead.Close()
//
// Package sources/replay reads such a file and hands its tweets to sinks again.
//
// # What is promised
//
//   - Keep returns nil once its letters are written and synced to the disk: all of
//     them, or none.
//   - When a write or the sync fails, the file is cut back to what it was before,
//     and the same letters can be kept again without standing in it twice. This is
//     how a full disk is waited out. What a failed sync has left on the disk is
//     unknown, so that nothing of it is taken for written. A process that is
//     killed in the middle of Keep may leave the letters there, and get them once
//     more in its next run: they then stand there twice, and a replay drops the
//     repeats.
//   - A line that a crash has torn is mended when the file is opened: a letter that
//     lacks only its line break gets it, what is left of any other is cut off. It
//     was not acknowledged.
//   - Nothing is deleted without a name and a count; see below.
//
// # Lines
//
// Each line is a letter as a JSON object:
//
//	{"letter":1,"id":"…","sink":"pg","reason":"rejected","error":"…","tries":3,
//	 "first":"2026-01-02T15:04:05.678Z","last":"…","received":"…","recovered":true,
//	 "deleted":true,"rules":[{"id":"1","tag":"coop"}],"raw":{"data":{…}}}
//
// Its first key is "letter", the version of the format. raw is the message, byte
// for byte; where that is not one line of JSON, raw_base64 stands for it. The times
// are those of a [tweetstream.Letter]. What has no value is left out.
//
// # Size and age
//
// The file is renamed when it has grown to a sixteenth of [MaxBytes], or its first
// letter to a sixteenth of the age of [MaxAge], and a new one is begun: beside
// dead.ndjson then stands dead-20260102T150405.678Z.ndjson, with the time (UTC) of
// its last letter. These segments may be moved and deleted at any time.
//
// When all files together would grow past MaxBytes, or all letters of a segment
// are older than MaxAge, the oldest segments are deleted: each is an Error in the
// log, "letters dropped", with how many and the first and last id. At 80 % of
// MaxBytes there is a warning. The age is looked at when letters are kept, and at
// Open. A segment that can't be read, so that its letters can't be named, is not
// deleted.
//
// # Files
//
// Files are made 0600 and folders 0700; symbolic links are refused. Only one
// process can have a file open: on Unix it is locked, and the second Open fails at
// once. Windows has no such lock here. Anybody may read the file at any time; what
// stands behind the last line break is not a line yet. A file that is renamed or
// removed meanwhile is left behind at the next Keep, and a new one is made.
package deadletter
