package boltjournal

import (
	"time"

	"go.etcd.io/bbolt"
)

// SeenAt changes when a name was last in use.
func SeenAt(name string, at time.Time) func(tx *bbolt.Tx) error {
	return func(tx *bbolt.Tx) error {
		c := cursor{0, at.Unix()}
		return tx.Bucket(cursorsName).Put(cursorKey(name), c.append(name))
	}
}

// Chunks makes chunks of so many tweets.
func Chunks(n uint64) Option { return func(c *config) { c.chunkCount = n } }

// IDs keeps so many ids of what was dropped.
func IDs(n uint64) Option { return func(c *config) { c.ids = n } }

// Free says what is free on the disk.
func Free(f func() uint64) Option {
	return func(c *config) { c.free = func(string) (uint64, bool) { return f(), true } }
}

// Failed is called after each commit, whose error it gives.
func Failed(f func() error) Option { return func(c *config) { c.failed = f } }

// SyncedPages sets up to how many free pages their list is stored.
func SyncedPages(n int) Option { return func(c *config) { c.syncedPages = n } }

var (
	DecodeEntry = decodeEntry
	AppendEntry = appendEntry
)
