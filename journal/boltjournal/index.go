package boltjournal

import (
	"encoding/binary"
	"strconv"

	"github.com/tweetstream-go/tweetstream"
)

// The index holds the ids alone, so that those of a million tweets are read in a
// moment, and stay known after their tweets are dropped. A record of it is
//
//	version (1 byte), number of ids (uvarint)
//	for each: flags (1 byte), and the difference to the number before (varint),
//	or for an id that is no number: length (uvarint), bytes
//	checksum

// number returns an id as one of X's numbers.
func number(id string) (uint64, bool) {
	n, err := strconv.ParseUint(id, 10, 63)
	return n, err == nil && id[0] != '0'
}

// appendIndex appends the record of tweets, the first of which is at pos.
func appendIndex(b []byte, pos uint64, tweets []*tweetstream.Tweet) []byte {
	begin := len(b)
	b = append(b, blockVersion)
	b = binary.AppendUvarint(b, uint64(len(tweets)))
	var last uint64
	for _, t := range tweets {
		var flags byte
		if t.Deleted {
			flags |= flagDeleted
		}
		if n, ok := number(t.ID); ok {
			b = append(b, flags)
			b = binary.AppendVarint(b, int64(n-last))
			last = n
		} else {
			b = append(b, flags|flagText)
			b = appendString(b, t.ID)
		}
	}
	return appendChecksum(b, begin, pos)
}

// indexed is an id of the index.
type indexed struct {
	pos     uint64
	id      string
	deleted bool
}

// appendIndexed appends the ids of a record to dst; ok is false if the record is
// damaged, and nothing is appended.
func appendIndexed(dst []indexed, pos uint64, record []byte) (_ []indexed, ok bool) {
	data, ok := whole(pos, record)
	if !ok || len(data) == 0 || data[0] != blockVersion {
		return dst, false
	}
	count, n := binary.Uvarint(data[1:])
	if n <= 0 || count > uint64(len(data)) {
		return dst, false
	}
	data = data[1+n:]
	all, last := dst, uint64(0)
	for i := range count {
		if len(data) == 0 {
			return dst, false
		}
		flags := data[0]
		x := indexed{pos: pos + i, deleted: flags&flagDeleted != 0}
		if flags&flagText == 0 {
			d, n := binary.Varint(data[1:])
			if n <= 0 {
				return dst, false
			}
			data = data[1+n:]
			last += uint64(d)
			x.id = strconv.FormatUint(last, 10)
		} else {
			size, n := binary.Uvarint(data[1:])
			if n <= 0 || size > uint64(len(data)-1-n) {
				return dst, false
			}
			x.id = string(data[1+n : 1+n+int(size)])
			data = data[1+n+int(size):]
		}
		all = append(all, x)
	}
	return all, true
}
