package httpsource

import (
	"encoding/binary"
	"net/http"
	"sync"
	"time"

	"github.com/tweetstream-go/tweetstream/internal/webhook"
)

// scheme is how a request is signed.
type scheme int

const (
	unsigned scheme = iota
	standard
	byX
)

// scheme decides how a request must be signed, and whether it can be, by its
// headers alone.
func (s *Source) scheme(r *http.Request) (scheme, *refusal) {
	switch {
	case s.x != nil && webhook.HasX(r.Header):
		return byX, nil
	case s.keys.Len() > 0:
		if err := webhook.CheckHeaders(r.Header, time.Now()); err != nil {
			return 0, refuse(http.StatusUnauthorized, "signature", "%v", err)
		}
		return standard, nil
	case s.x != nil:
		return 0, refuse(http.StatusUnauthorized, "signature", "the signature of X is missing")
	}
	return unsigned, nil
}

// verify checks the signature of a body.
func (s *Source) verify(by scheme, r *http.Request, body []byte) (mac webhook.MAC, _ *refusal) {
	var err error
	switch by {
	case byX:
		mac, err = s.x.Verify(r.Header, body)
	case standard:
		mac, err = s.keys.Verify(r.Header, time.Now(), body)
	}
	if err != nil {
		return mac, refuse(http.StatusUnauthorized, "signature", "%v", err)
	}
	return mac, nil
}

// seen are the newest signed requests that the log has taken: who sends one of
// them again is a sender that has not heard the answer, or somebody who has
// listened. They are a part of the state, so that a restart forgets none but those
// of its last second. A signature stands for a request.
type seen struct {
	mu      sync.Mutex
	order   []uint64 // a ring, once it is full
	next    int
	set     map[uint64]struct{}
	changed bool
}

const (
	// maxSeen bounds the state to 128 KiB.
	maxSeen = 16 << 10

	// saveEvery is how often the state is stored at most.
	saveEvery = time.Second

	stateVersion = 1
)

func fingerprint(mac webhook.MAC) uint64 { return binary.LittleEndian.Uint64(mac[:]) }

func (s *seen) has(mac webhook.MAC) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.set[fingerprint(mac)]
	return ok
}

func (s *seen) add(mac webhook.MAC) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.insert(fingerprint(mac))
	s.changed = true
}

// insert is called with the mutex held.
func (s *seen) insert(f uint64) {
	if _, ok := s.set[f]; ok {
		return
	}
	if s.set == nil {
		s.set = map[uint64]struct{}{}
	}
	if len(s.order) < maxSeen {
		s.order = append(s.order, f)
	} else {
		delete(s.set, s.order[s.next])
		s.order[s.next] = f
		s.next = (s.next + 1) % maxSeen
	}
	s.set[f] = struct{}{}
}

// state returns what is to be stored; nil if that is stored already.
func (s *seen) state() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.changed {
		return nil
	}
	s.changed = false
	state := append(make([]byte, 0, 1+8*len(s.order)), stateVersion)
	for i := range s.order {
		state = binary.LittleEndian.AppendUint64(state, s.order[(s.next+i)%len(s.order)])
	}
	return state
}

// load takes a state in. One that it does not know is none: the Streamer still
// goes by the ids of the Posts.
func (s *seen) load(state []byte) {
	if len(state) == 0 || state[0] != stateVersion {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for state = state[1:]; len(state) >= 8; state = state[8:] {
		s.insert(binary.LittleEndian.Uint64(state))
	}
}

// again notes that a state could not be stored.
func (s *seen) again() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed = true
}

// bucket limits the rate of requests, in a second.
type bucket struct {
	rate int // 0: there is no limit

	mu   sync.Mutex
	left float64
	at   time.Time
}

func (b *bucket) take(now time.Time) bool {
	if b.rate == 0 {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.at.IsZero() {
		b.left = float64(b.rate)
	} else {
		b.left = min(float64(b.rate), b.left+float64(b.rate)*now.Sub(b.at).Seconds())
	}
	b.at = now
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}

// back gives back what was taken for a request that is not let in after all.
func (b *bucket) back() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left++
}
