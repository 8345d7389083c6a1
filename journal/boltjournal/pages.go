package boltjournal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
)

// bbolt follows the references of its pages without a check. Most damage there
// makes it panic, which guard catches, but two kinds would end the process: a
// reference to a page above, which it follows for ever, and anything at all in a
// file without a stored list of free pages, which it walks in a goroutine of its
// own when it opens it. So references are looked through before it does, with
// reads that can't fault. This is what is known here of a page of bbolt:
//
//	page    id (8 bytes), flags (2), count (2), overflow (4): how many pages follow
//	meta    page 0 or 1; see meta
//	branch  for each child: offset of the key (4), its length (4), id (8)
//	leaf    for each key: flags (4), offset (4), lengths of key and value (4, 4)
//	bucket  a value: id of its root (8), sequence (8); a root of 0 is a leaf that
//	        stands right behind
const (
	pageHead  = 16
	elemHead  = 16
	isBranch  = 1
	isLeaf    = 2
	isList    = 16
	isBucket  = 1         // of a key in a leaf
	noList    = 1<<64 - 1 // the list of free pages is not stored
	metaMagic = 0xED0CDAED
)

// meta is the newest of the two pages that a file begins with.
type meta struct {
	pageSize, root, free, pages, txid uint64
	found, old                        bool // there is one, perhaps damaged; of another version
}

// readMeta returns the newest meta that is whole; its pages are 0 if none is.
func readMeta(f *os.File) (m meta, head []byte, err error) {
	info, err := f.Stat()
	if err != nil {
		return m, nil, err
	}
	head = make([]byte, min(info.Size(), 64<<10)) // page sizes up to that of any system
	if _, err := f.ReadAt(head, 0); err != nil && err != io.EOF {
		return m, nil, err
	}
	u64 := binary.NativeEndian.Uint64
	for at := 0; at+pageHead+64 <= len(head); at = max(1<<10, at*2) {
		b := head[at+pageHead:]
		if binary.NativeEndian.Uint32(b) != metaMagic {
			continue
		}
		m.found = true
		m.old = m.old || binary.NativeEndian.Uint32(b[4:]) != 2
		sum := fnv.New64a()
		sum.Write(b[:56])
		if txid := u64(b[48:]); sum.Sum64() == u64(b[56:]) && txid >= m.txid {
			m.pageSize, m.root, m.free, m.pages, m.txid = uint64(binary.NativeEndian.Uint32(b[8:])), u64(b[16:]), u64(b[32:]), u64(b[40:]), txid
		}
	}
	return m, head, nil
}

// diagnose says in words what is wrong with the pages that a file of bbolt begins
// with; empty if nothing is.
func diagnose(f *os.File) string {
	m, head, err := readMeta(f)
	if err != nil {
		return err.Error()
	}
	info, err := f.Stat()
	if err != nil {
		return err.Error()
	}
	zero := true
	for _, c := range head {
		zero = zero && c == 0
	}
	switch {
	case zero:
		return "the file begins with zeroes"
	case !m.found:
		return "the file is no journal"
	case m.pages == 0 && m.old:
		return "the file is of another version of bbolt"
	case m.pages == 0:
		return "neither of its two first pages is whole"
	case m.pages*m.pageSize > uint64(info.Size()):
		return fmt.Sprintf("the file is truncated: it has %d bytes of %d", info.Size(), m.pages*m.pageSize)
	}
	return ""
}

var errTwice = errors.New("a page is referred to that is not there, or twice, or free")

// survey looks through the pages of one file.
type survey struct {
	f    *os.File
	meta meta
	all  bool // every page; else only those that refer to others
	seen []uint64

	// unsound are the buckets not to be touched: by name, or by the name of what
	// they are in and their key.
	unsound map[string]error
}

// look looks through the references of the file, which nobody changes meanwhile.
// Where a list of free pages is stored, it reads what refers to pages, and little
// of what holds tweets; else all pages, as bbolt is about to.
func look(f *os.File) (*survey, error) {
	m, _, err := readMeta(f)
	if err != nil {
		return nil, err
	}
	s := &survey{f: f, meta: m, all: m.free == noList, unsound: map[string]error{}}
	if m.pages < 2 || m.pages > 1<<40 || m.pageSize < 1<<10 || m.pageSize > 1<<16 {
		return nil, errors.New("its first pages make no sense")
	}
	s.seen = make([]uint64, m.pages/64+1)
	if err := s.list(); err != nil {
		s.unsound["the list of free pages"] = err
		clear(s.seen)
	}
	if !s.mark(m.root) {
		return nil, errors.New("its first page is not there")
	}
	return s, s.page(m.root, 0, "")
}

// mark notes that a page is in use, and is false if it was or can't be.
func (s *survey) mark(id uint64) bool {
	if id < 2 || id >= s.meta.pages {
		return false
	}
	bit := uint64(1) << (id % 64)
	was := s.seen[id/64]&bit != 0
	s.seen[id/64] |= bit
	return !was
}

// list marks the free pages, so that no reference to one of them passes: bbolt
// takes what such a page has held for a branch.
func (s *survey) list() error {
	if s.all {
		return nil
	}
	first := s.meta.free
	var b [pageHead + 8]byte
	if first >= s.meta.pages {
		return errors.New("the list of free pages is not there")
	}
	if _, err := s.f.ReadAt(b[:], int64(first*s.meta.pageSize)); err != nil {
		return err
	}
	begin, count := uint64(pageHead), uint64(binary.NativeEndian.Uint16(b[10:]))
	if count == 0xFFFF {
		begin, count = begin+8, binary.NativeEndian.Uint64(b[pageHead:])
	}
	overflow := uint64(binary.NativeEndian.Uint32(b[12:]))
	if binary.NativeEndian.Uint64(b[:]) != first || binary.NativeEndian.Uint16(b[8:]) != isList || count > s.meta.pages ||
		overflow >= s.meta.pages || begin+8*count > (overflow+1)*s.meta.pageSize {
		return errors.New("the list of free pages is not whole")
	}
	ids := make([]byte, 8*count)
	if _, err := s.f.ReadAt(ids, int64(first*s.meta.pageSize+begin)); err != nil {
		return err
	}
	for id := range overflow + 1 {
		if !s.mark(first + id) {
			return errTwice
		}
	}
	for ; len(ids) > 0; ids = ids[8:] {
		if !s.mark(binary.NativeEndian.Uint64(ids)) {
			return errors.New("the list of free pages is not whole")
		}
	}
	return nil
}

// page looks through one page and those below.
func (s *survey) page(id uint64, level int, name string) error {
	head := make([]byte, s.meta.pageSize)
	if _, err := s.f.ReadAt(head, int64(id*s.meta.pageSize)); err != nil {
		return err
	}
	flags, count, overflow := binary.NativeEndian.Uint16(head[8:]), int(binary.NativeEndian.Uint16(head[10:])), uint64(binary.NativeEndian.Uint32(head[12:]))
	if binary.NativeEndian.Uint64(head) != id || flags != isBranch && flags != isLeaf || id+overflow >= s.meta.pages || flags == isBranch && count == 0 {
		return s.refuse("page %d is not whole", id)
	}
	for k := uint64(1); s.all && k <= overflow; k++ {
		if !s.mark(id + k) {
			return errTwice
		}
	}
	size := (overflow + 1) * s.meta.pageSize
	need := uint64(pageHead + count*elemHead)
	if flags == isLeaf && level < 2 {
		need = size // it has buckets
	}
	if need > size {
		return s.refuse("page %d is not whole", id)
	}
	if need > uint64(len(head)) {
		head = make([]byte, need)
		if _, err := s.f.ReadAt(head, int64(id*s.meta.pageSize)); err != nil {
			return err
		}
	}
	if flags == isLeaf {
		return s.leaf(head, count, size, level, name)
	}
	return s.branch(head, count, size, level, name)
}

// refuse returns an error for what makes bbolt panic, if nothing would catch that.
func (s *survey) refuse(format string, args ...any) error {
	if !s.all {
		return nil
	}
	return fmt.Errorf(format, args...)
}

func (s *survey) branch(b []byte, count int, size uint64, level int, name string) error {
	var children []uint64
	for i := range count {
		e := b[pageHead+i*elemHead:]
		end := uint64(pageHead+i*elemHead) + uint64(binary.NativeEndian.Uint32(e)) + uint64(binary.NativeEndian.Uint32(e[4:]))
		id := binary.NativeEndian.Uint64(e[8:])
		if end > size {
			if err := s.refuse("a key ends behind its page"); err != nil {
				return err
			}
		}
		if !s.mark(id) {
			return errTwice
		}
		children = append(children, id)
	}
	for i, id := range children {
		// All leaves of a tree are at the same depth: where one child is a leaf,
		// the others are.
		if i == 1 && level == 2 && !s.all && s.isLeaf(children[0]) {
			return nil
		}
		if err := s.page(id, level, name); err != nil {
			return err
		}
	}
	return nil
}

func (s *survey) isLeaf(id uint64) bool {
	var head [pageHead]byte
	_, err := s.f.ReadAt(head[:], int64(id*s.meta.pageSize))
	return err != nil || binary.NativeEndian.Uint16(head[8:]) != isBranch
}

// leaf looks through the keys of a leaf, which may be buckets.
func (s *survey) leaf(b []byte, count int, size uint64, level int, name string) error {
	for i := range count {
		e := b[pageHead+i*elemHead:]
		begin := uint64(pageHead+i*elemHead) + uint64(binary.NativeEndian.Uint32(e[4:]))
		middle := begin + uint64(binary.NativeEndian.Uint32(e[8:]))
		end := middle + uint64(binary.NativeEndian.Uint32(e[12:]))
		if end > size {
			if s.all || level < 2 {
				return errors.New("a key or value ends behind its page")
			}
			continue
		}
		if binary.NativeEndian.Uint32(e)&isBucket == 0 {
			continue
		}
		if level == 2 {
			if err := s.refuse("a bucket stands where none can be"); err != nil {
				return err
			}
			continue
		}
		sub := string(b[begin:middle])
		if level == 1 {
			sub = name + "/" + sub
		}
		if err := s.bucket(b[middle:end], level+1, sub); err != nil {
			s.unsound[sub] = err
		}
	}
	return nil
}

func (s *survey) bucket(v []byte, level int, name string) error {
	if len(v) < 16 {
		return errors.New("a bucket is not whole")
	}
	root := binary.NativeEndian.Uint64(v)
	if root != 0 {
		if !s.mark(root) {
			return errTwice
		}
		return s.page(root, level, name)
	}
	v = v[16:]
	if len(v) < pageHead {
		return errors.New("a bucket is not whole")
	}
	count := int(binary.NativeEndian.Uint16(v[10:]))
	if binary.NativeEndian.Uint16(v[8:]) != isLeaf || pageHead+count*elemHead > len(v) {
		return errors.New("a bucket is not whole")
	}
	return s.leaf(v, count, uint64(len(v)), level, name)
}
