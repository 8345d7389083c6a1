package sqlsink

import (
	"iter"
	"sync"
	"sync/atomic"
)

// A part is posts that go into the database at a time.
type part struct {
	posts []post
	next  atomic.Int64   // the first that nobody has begun to decode
	open  sync.WaitGroup // those that are not decoded
}

// partSize is how many posts a part has: a statement for them is one of [chunks].
// partBytes ends it earlier: PostgreSQL takes 1 GiB.
const partSize, partBytes = 100, 32 << 20

// inParts returns the posts, some at a time.
func inParts(posts []post) (parts []*part) {
	for left := posts; len(left) > 0; {
		n, size := 1, len(left[0].Raw)
		for n < min(len(left), partSize) && size+len(left[n].Raw) <= partBytes {
			size += len(left[n].Raw)
			n++
		}
		p := &part{posts: left[:n]}
		p.open.Add(n)
		parts = append(parts, p)
		left = left[n:]
	}
	return parts
}

// decode decodes what nobody else has begun to.
func (p *part) decode() {
	for i := p.next.Add(1) - 1; i < int64(len(p.posts)); i = p.next.Add(1) - 1 {
		p.posts[i].tryDecode()
		p.open.Done()
	}
}

// tryDecode keeps a panic, which is Deliver's: its caller knows what to do.
func (p *post) tryDecode() {
	defer func() { p.panicked = recover() }()
	p.decode()
}

// ahead decodes posts while the database has those before them: on one processor, for
// the database may need another. Who waits for a part helps.
type ahead struct {
	parts []*part
	ended sync.WaitGroup
}

func decodeAhead(parts []*part) *ahead {
	a := &ahead{parts: parts}
	a.ended.Go(func() {
		for _, p := range a.parts {
			p.decode()
		}
	})
	return a
}

// all yields the parts, each once it is decoded.
func (a *ahead) all() iter.Seq[[]post] {
	return func(yield func([]post) bool) {
		for _, p := range a.parts {
			p.decode()
			p.open.Wait()
			for i := range p.posts {
				if v := p.posts[i].panicked; v != nil {
					panic(v)
				}
			}
			if !yield(p.posts) {
				return
			}
		}
	}
}

// stop returns when nobody decodes any more.
func (a *ahead) stop() {
	for _, p := range a.parts {
		p.next.Store(int64(len(p.posts)))
	}
	a.ended.Wait()
}
