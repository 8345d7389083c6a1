package xtest

import (
	"sync"
	"time"
)

// late holds back what is meant for the streams while delivery lags, in its order.
type late struct {
	mu      sync.Mutex
	lag     time.Duration
	waiting []lateBatch
	running bool
	changed chan struct{} // holds one: lag is another
}

type lateBatch struct {
	at   time.Time // when it was made
	send func()
}

func (l *late) init() { l.changed = make(chan struct{}, 1) }

// setLag makes streams get what is made from now on, and what waits already, d
// after it was made.
func (s *Server) setLag(d time.Duration) {
	s.late.mu.Lock()
	s.late.lag = d
	s.late.mu.Unlock()
	select {
	case s.late.changed <- struct{}{}:
	default:
	}
}

// deliver calls send, which queues something for the streams, when it is time.
func (s *Server) deliver(send func()) {
	l := &s.late
	l.mu.Lock()
	if l.lag == 0 && len(l.waiting) == 0 {
		l.mu.Unlock()
		send()
		return
	}
	l.waiting = append(l.waiting, lateBatch{time.Now(), send})
	begin := !l.running && s.enter()
	l.running = l.running || begin
	l.mu.Unlock()
	if begin {
		go s.deliverLate()
	}
}

// deliverLate delivers what waits, until nothing does.
func (s *Server) deliverLate() {
	defer s.running.Done()
	l := &s.late
	for {
		l.mu.Lock()
		if len(l.waiting) == 0 {
			l.running = false
			l.mu.Unlock()
			return
		}
		next, wait := l.waiting[0], time.Until(l.waiting[0].at.Add(l.lag))
		l.mu.Unlock()
		if wait <= 0 {
			next.send()
			l.mu.Lock()
			l.waiting = l.waiting[1:] // only now, so that nothing passes by it
			l.mu.Unlock()
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-l.changed:
		case <-s.done:
			timer.Stop()
			return
		}
		timer.Stop()
	}
}

// lags reports whether anything waits.
func (s *Server) lags() bool {
	s.late.mu.Lock()
	defer s.late.mu.Unlock()
	return len(s.late.waiting) > 0
}
