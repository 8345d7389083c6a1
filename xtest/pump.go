package xtest

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"math"
	"strconv"
	"time"

	"github.com/tweetstream-go/tweetstream/internal/rulelang"
)

// tick is how often Posts are sent at most: what is due meanwhile goes out in
// one write.
const tick = 10 * time.Millisecond

// startPump starts what sends by itself: the replay or the made-up Posts.
func (s *Server) startPump() {
	run := s.generate
	switch {
	case s.cfg.replay != nil:
		run = s.play
	case s.cfg.rate == 0:
		return
	}
	if !s.enter() {
		return
	}
	go func() {
		defer s.running.Done()
		run()
	}()
}

// pace says how many messages are due at a rate.
type pace struct {
	rate  float64
	begin time.Time
	given int
}

func (p *pace) due(now time.Time) int {
	n := int(p.rate*now.Sub(p.begin).Seconds()+1e-6) - p.given
	if late := int(p.rate) + 1; n > late {
		p.begin = p.begin.Add(time.Duration(float64(n-late) / p.rate * float64(time.Second)))
		n = late
	}
	p.given += n
	return n
}

// ticker ticks as often as a message is due, but for many at once.
func (p *pace) ticker() *time.Ticker {
	return time.NewTicker(max(tick, time.Duration(float64(time.Second)/p.rate)))
}

// generate makes Posts at the rate.
func (s *Server) generate() {
	p := pace{rate: s.cfg.rate, begin: time.Now()}
	t := p.ticker()
	defer t.Stop()
	for made := 0; s.cfg.limit == 0 || made < s.cfg.limit; {
		select {
		case <-s.done:
			return
		case now := <-t.C:
			n := p.due(now)
			if s.cfg.limit > 0 {
				n = min(n, s.cfg.limit-made)
			}
			s.makePosts(n)
			made += n
		}
	}
}

// makePosts makes n Posts and queues those that match.
func (s *Server) makePosts(n int) {
	s.making.Lock()
	defer s.making.Unlock()
	now := s.now()
	rules := s.rules.inEffect(now)
	var out batch
	for range n {
		p := s.maker.next(now, s.cfg.topics, rules)
		out.add(s, p, rules)
	}
	out.queue(s, 0)
}

// A Post says what [Server.Post] makes. What is left empty is made up.
type Post struct {
	Text   string // links in it become t.co links, as X makes them
	Author string // username
	Lang   string
	Kind   string // "retweet", "reply", "quote"; by default none of them
	Quoted string // the text that a quote quotes: the stream's rules look at it too, search does not
}

// Post makes one Post and sends it to the streams whose rules it matches. It
// returns its id once it is queued; see [Server.Send] for streams without room.
// A Post that no rule matches is still found by recent search.
func (s *Server) Post(p Post) (id string) {
	s.making.Lock()
	defer s.making.Unlock()
	now := s.now()
	made := s.maker.byHand(now, p)
	var out batch
	out.add(s, made, s.rules.inEffect(now))
	out.queue(s, handWait)
	return strconv.FormatUint(made.id, 10)
}

// batch collects the lines of Posts for the streams.
type batch struct {
	filtered, sampled []byte
	nf, ns            int
}

func (b *batch) add(s *Server, p *post, rules []*rule) {
	s.made.Add(1)
	message, data, includes, fault := p.encode()
	e := entry{id: p.id, at: p.at, doc: p.doc(), streamed: p.quoting()}
	// The message without its last brace, with the rules, is a line.
	n := len(b.filtered)
	b.filtered = append(b.filtered, message[:len(message)-1]...)
	bare := len(b.filtered)
	if b.filtered = appendRules(b.filtered, rules, e.seen()); len(b.filtered) == bare {
		b.filtered = b.filtered[:n]
	} else {
		b.filtered = append(b.filtered, "}\r\n"...)
		b.nf++
		s.matched.Add(1)
		s.history.matched(p.id)
	}
	if s.cfg.sample == 1 || s.maker.chance(s.cfg.sample) {
		b.sampled = append(append(b.sampled, message...), "\r\n"...)
		b.ns++
	}
	// Copies, for the message they are part of has room to spare.
	e.data, e.includes, e.fault = bytes.Clone(data), bytes.Clone(includes), bytes.Clone(fault)
	s.history.add(e)
}

// appendRules appends the member matching_rules, nothing if no rule matches.
func appendRules(b []byte, rules []*rule, d *rulelang.Doc) []byte {
	n := len(b)
	for _, r := range rules {
		if !r.node.Matches(d) {
			continue
		}
		if len(b) == n {
			b = append(b, `,"matching_rules":[`...)
		} else {
			b = append(b, ',')
		}
		b = append(append(append(b, `{"id":"`...), r.ID...), '"')
		if r.Tag != "" {
			b = appendString(append(b, `,"tag":`...), r.Tag, false)
		}
		b = append(b, '}')
	}
	if len(b) > n {
		b = append(b, ']')
	}
	return b
}

func (b batch) queue(s *Server, wait time.Duration) {
	s.deliver(func() { s.queue(b.filtered, b.nf, b.sampled, b.ns, queueLimit, wait) })
}

// play sends the lines of the replay.
func (s *Server) play() {
	defer s.replayed.Store(true)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	const chunkSize = 64 << 10
	in := bufio.NewReaderSize(s.cfg.replay, chunkSize)
	var p pace
	var ticks <-chan time.Time
	due := math.MaxInt
	if s.cfg.rate > 0 {
		p = pace{rate: s.cfg.rate, begin: time.Now()}
		t := p.ticker()
		defer t.Stop()
		ticks, due = t.C, 0
	}
	var chunk []byte
	lines := 0
	flush := func() bool {
		if lines == 0 {
			return true
		}
		if s.hub.wait(ctx, s.done) != nil {
			return false
		}
		s.queue(chunk, lines, chunk, lines, replayAhead, noLimit)
		chunk, lines = nil, 0
		return true
	}
	for {
		for due <= 0 {
			if !flush() {
				return
			}
			select {
			case <-s.done:
				return
			case now := <-ticks:
				due = p.due(now)
			}
		}
		if chunk == nil {
			chunk = make([]byte, 0, chunkSize+chunkSize/4)
		}
		n := len(chunk)
		var err error
		chunk, err = appendLine(chunk, in)
		if err != nil && len(chunk) == n { // the end, or what can't be read
			flush()
			return
		}
		chunk = append(chunk, "\r\n"...)
		lines++
		due--
		if (len(chunk) >= chunkSize || in.Buffered() == 0) && !flush() {
			return
		}
	}
}

// appendLine appends the next line without its end. At the end of the input
// nothing is appended and the error is not nil.
func appendLine(dst []byte, in *bufio.Reader) ([]byte, error) {
	for {
		part, err := in.ReadSlice('\n')
		dst = append(dst, part...)
		if err == bufio.ErrBufferFull {
			continue
		}
		if err == nil || err == io.EOF && len(part) > 0 {
			dst = bytes.TrimSuffix(dst, []byte("\n"))
			dst = bytes.TrimSuffix(dst, []byte("\r"))
			return dst, nil
		}
		return dst, err
	}
}
