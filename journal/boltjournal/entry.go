package boltjournal

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"time"

	"github.com/tweetstream-go/tweetstream"
)

// Entries stand in blocks, so that small ones fill the pages of the file. A
// block is
//
//	version (1 byte), number of entries, length of each (uvarint), checksum
//	then for each entry: its bytes, checksum
//
// and an entry
//
//	length of the facts (uvarint), the facts, the message
//	facts: flags (1 byte), second and nanosecond of Received (varint, uvarint),
//	id, number of rules, and of each id, tag and value (length as uvarint, bytes)
//
// Checksums are CRC-32C, over the position too: what stands in another's place
// is as damaged as what was changed.
const (
	blockVersion = 1
	blockSize    = 16 << 10 // about how large a block of small entries is
	checksumSize = 4
)

const (
	flagRecovered = 1 << iota
	flagDeleted
	flagText // of an id in the index
)

var (
	errEntry = errors.New("an entry that is not whole")
	castag   = crc32.MakeTable(crc32.Castagnoli)
)

// checksum is that of what stands at a position.
func checksum(pos uint64, data []byte) uint32 {
	var p [8]byte
	binary.BigEndian.PutUint64(p[:], pos)
	return crc32.Update(crc32.Update(0, castag, p[:]), castag, data)
}

// appendChecksum appends the checksum of what b holds from begin on.
func appendChecksum(b []byte, begin int, pos uint64) []byte {
	return binary.LittleEndian.AppendUint32(b, checksum(pos, b[begin:]))
}

// whole cuts the checksum off data; ok is false if it is wrong.
func whole(pos uint64, data []byte) (_ []byte, ok bool) {
	n := len(data) - checksumSize
	if n < 0 || binary.LittleEndian.Uint32(data[n:]) != checksum(pos, data[:n]) {
		return nil, false
	}
	return data[:n], true
}

func uvarintLen(x uint64) (n int) {
	for n = 1; x >= 0x80; n++ {
		x >>= 7
	}
	return n
}

func varintLen(x int64) int { return uvarintLen(uint64(x)<<1 ^ uint64(x>>63)) }

func stringLen(s string) int { return uvarintLen(uint64(len(s))) + len(s) }

// factsLen is how long the facts about t are.
func factsLen(t *tweetstream.Tweet) int {
	n := 1 + varintLen(t.Received.Unix()) + uvarintLen(uint64(t.Received.Nanosecond())) + stringLen(t.ID) + uvarintLen(uint64(len(t.Rules)))
	for i := range t.Rules {
		n += stringLen(t.Rules[i].ID) + stringLen(t.Rules[i].Tag) + stringLen(t.Rules[i].Value)
	}
	return n
}

// entryLen is how long the entry of t is, without its checksum.
func entryLen(t *tweetstream.Tweet) int {
	n := factsLen(t)
	return uvarintLen(uint64(n)) + n + len(t.Raw)
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendEntry(b []byte, t *tweetstream.Tweet) []byte {
	b = binary.AppendUvarint(b, uint64(factsLen(t)))
	var flags byte
	if t.Recovered {
		flags |= flagRecovered
	}
	if t.Deleted {
		flags |= flagDeleted
	}
	b = append(b, flags)
	b = binary.AppendVarint(b, t.Received.Unix())
	b = binary.AppendUvarint(b, uint64(t.Received.Nanosecond()))
	b = appendString(b, t.ID)
	b = binary.AppendUvarint(b, uint64(len(t.Rules)))
	for i := range t.Rules {
		b = appendString(b, t.Rules[i].ID)
		b = appendString(b, t.Rules[i].Tag)
		b = appendString(b, t.Rules[i].Value)
	}
	return append(b, t.Raw...)
}

// appendBlock appends a block of tweets, the first of which is at pos.
func appendBlock(b []byte, pos uint64, tweets []*tweetstream.Tweet) []byte {
	begin := len(b)
	b = append(b, blockVersion)
	b = binary.AppendUvarint(b, uint64(len(tweets)))
	for _, t := range tweets {
		b = binary.AppendUvarint(b, uint64(entryLen(t)))
	}
	b = appendChecksum(b, begin, pos)
	for i, t := range tweets {
		begin := len(b)
		b = appendEntry(b, t)
		b = appendChecksum(b, begin, pos+uint64(i))
	}
	return b
}

// block is one that was read; its memory is the file's.
type block struct {
	pos     uint64 // of the first entry left
	left    int    // entries
	lengths []byte // of those
	entries []byte
}

// parseBlock reads the head of a block; ok is false if that is damaged.
func parseBlock(pos uint64, data []byte) (b block, ok bool) {
	if len(data) == 0 || data[0] != blockVersion {
		return b, false
	}
	count, n := binary.Uvarint(data[1:])
	if n <= 0 || count > uint64(len(data)) {
		return b, false
	}
	begin, total := 1+n, uint64(0)
	end := begin
	for range count {
		length, n := binary.Uvarint(data[end:])
		if n <= 0 || length > uint64(len(data)) {
			return b, false
		}
		end += n
		total += length + checksumSize
	}
	if len(data)-end < checksumSize {
		return b, false
	}
	if _, ok := whole(pos, data[:end+checksumSize]); !ok || total != uint64(len(data)-end-checksumSize) {
		return b, false
	}
	return block{pos, int(count), data[begin:end], data[end+checksumSize:]}, true
}

// next returns the next entry, with its checksum.
func (b *block) next() (pos uint64, entry []byte) {
	length, n := binary.Uvarint(b.lengths)
	pos, entry = b.pos, b.entries[:length+checksumSize]
	b.pos, b.left, b.lengths, b.entries = b.pos+1, b.left-1, b.lengths[n:], b.entries[length+checksumSize:]
	return pos, entry
}

// decodeEntry returns the tweet of an entry whose checksum is right. It shares no
// memory with data.
func decodeEntry(data []byte) (*tweetstream.Tweet, error) {
	n, k := binary.Uvarint(data)
	if k <= 0 || n > uint64(len(data)-k) || n == 0 {
		return nil, errEntry
	}
	// The strings share one copy of the facts: one allocation for all.
	f := facts{rest: string(data[k : k+int(n)])}
	t := &tweetstream.Tweet{Raw: append(make([]byte, 0, len(data)-k-int(n)), data[k+int(n):]...)}
	flags := f.rest[0]
	f.rest = f.rest[1:]
	t.Recovered, t.Deleted = flags&flagRecovered != 0, flags&flagDeleted != 0
	second := f.uvarint()
	t.Received = time.Unix(int64(second>>1)^-int64(second&1), int64(f.uvarint())).UTC()
	t.ID = f.text()
	if rules := f.uvarint(); rules > uint64(len(f.rest)) {
		f.bad = true
	} else if rules > 0 {
		t.Rules = make([]tweetstream.Rule, rules)
		for i := range t.Rules {
			t.Rules[i] = tweetstream.Rule{ID: f.text(), Tag: f.text(), Value: f.text()}
		}
	}
	if f.bad || f.rest != "" {
		return nil, errEntry
	}
	return t, nil
}

// facts is what is left to read of the facts of an entry.
type facts struct {
	rest string
	bad  bool
}

func (f *facts) uvarint() (x uint64) {
	for i := 0; i < len(f.rest) && i < binary.MaxVarintLen64; i++ {
		c := f.rest[i]
		x |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			f.rest = f.rest[i+1:]
			return x
		}
	}
	f.bad, f.rest = true, ""
	return 0
}

func (f *facts) text() string {
	n := f.uvarint()
	if n > uint64(len(f.rest)) {
		f.bad, f.rest = true, ""
		return ""
	}
	s := f.rest[:n]
	f.rest = f.rest[n:]
	return s
}
