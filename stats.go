package tweetstream

import (
	"maps"
	"time"
)

// Stats are figures of a [Streamer] since Run began, as [Streamer.Stats] returns
// them. They hold no token and no Post's text.
type Stats struct {
	State    State             // Standby, Running or Ended; empty before Run
	Received uint64            // tweets that the source emitted
	Repeats  uint64            // of these, dropped because their id had come before
	Filtered uint64            // of these, dropped by a transform
	Deleted  uint64            // of these, dropped because a tombstone of theirs had come before
	Lost     map[Reason]uint64 // of these, no sink gets: a transform failed, or the journal did not take them to the end
	Held     string            // why the log takes nothing at the moment; empty if it does
	Sinks    []SinkStats       // in the order in which they were plugged in
}

// SinkStats are the figures of one sink.
type SinkStats struct {
	Name  string
	State State

	Delivered uint64            // tweets, and tombstones
	Failures  uint64            // calls of Deliver that failed
	Retries   uint64            // calls of Deliver that were made again after one that failed
	Deleted   uint64            // tweets passed by, because a tombstone of theirs had come meanwhile
	Lost      map[Reason]uint64 // tweets that the sink did not get, in the dead letter or named in the log

	Waiting      uint64        // tweets between the sink's cursor and the end of the log
	WaitingBytes int64         // their size; of those that are on disk only, an estimate
	Oldest       time.Duration // how long ago the oldest of them was received, at least; exact for what is in memory or at hand

	LastError   string // the last failure, fit to be shown: cut, and without a Post's text; empty if there was none
	LastErrorAt time.Time
}

// State is what a sink is doing, or the Streamer itself.
type State string

const (
	Running  State = "running"  // delivering, or waiting for tweets
	Retrying State = "retrying" // a delivery has failed and is tried again
	Outage   State = "outage"   // deliveries fail again and again, whatever the tweet
	Paused   State = "paused"   // by [Streamer.Pause]
	Stuck    State = "stuck"    // Deliver does not return, though its context is done

	Standby State = "standby" // of a Streamer: it opens the journal, and waits while another process has it
	Ended   State = "ended"   // of a Streamer: Run has returned
)

// Stats returns the figures at this moment. It may be called at any time, from
// any goroutine.
func (s *Streamer) Stats() Stats {
	st := Stats{}
	st.State, _ = s.state.Load().(State)
	select {
	case <-s.ready:
	default:
		return st // nothing has begun
	}
	st.Received = s.intake.received.Load()
	st.Repeats = s.intake.repeats.Load()
	st.Filtered = s.intake.dropped.Load()
	st.Deleted = s.intake.deleted.Load()
	s.intake.mu.Lock()
	st.Lost = maps.Clone(s.intake.lost)
	s.intake.mu.Unlock()
	if held := s.intake.held.Load(); held != nil {
		st.Held = *held
	}
	for _, d := range s.sinks {
		st.Sinks = append(st.Sinks, d.stats())
	}
	return st
}
