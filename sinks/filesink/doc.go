// Package filesink writes Posts to a file, or to standard output: one message a
// line, byte for byte as X sent it (NDJSON).
//
// # What is promised
//
// A file opened with [Open] holds each Post once, on a line of its own:
//
//   - Deliver returns nil once its Posts are written and synced to the disk.
//   - When a write fails in the middle, the file is cut back to the last whole
//     line that was there before, and the same batch can be tried again. This is
//     how a full disk is waited out: the error asks for the batch again after a
//     second, is never the Post's fault, and sends none to the dead letter.
//   - A line that a crash has torn is mended when the file is opened: a message
//     that lacks only its line break gets it, what is left of any other is cut
//     off. It was not acknowledged and comes again.
//   - A Post whose id stands in the last lines is not written again: in the last
//     100,000 lines of the last 256 MiB when the file was opened, and among at
//     least the 100,000 Posts written last. So a batch that comes again after a
//     crash leaves nothing twice. Lines that are no Posts are left alone.
//
// After a loss of power, a file system may show zeros in place of lines that it
// had not been asked to sync yet. Such a line stays where it is, and the Posts in
// it count as not written.
//
// Standard output has none of this: it is not synced, and what was written
// before an error is written again with the next try. Its lines are whole all the
// same.
//
// # Files
//
// A new file is readable by its owner only (0600), and so are the folders that
// are made for it (0700). The mode of a file that is already there is kept. A
// symbolic link, a folder, a device or a pipe is refused, as is a file whose last
// line is not ended and does not look like a message: it is somebody else's.
//
// Only one process can have a file open: on Unix it is locked (flock), and the
// second Open fails at once. Windows has no such lock here; there it is up to you
// not to write to one file twice. Anybody may read the file at any time; what
// stands behind the last line break is not a line yet.
//
// A file that is renamed or removed meanwhile, as logrotate does, is left behind
// at the next Deliver, and a new one is made at the old path. A file that is
// emptied in place (copytruncate) is written from its new end on.
//
// A file can't delete: filesink is no [tweetstream.Deleter], and a Post that is
// deleted from X stays in it.
package filesink
