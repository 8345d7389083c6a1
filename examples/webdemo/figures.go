package main

import (
	"cmp"
	"context"
	"time"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sources/xstream"
)

// stats is what /stats says.
type stats struct {
	Viewers  int       `json:"viewers"`
	Skipped  uint64    `json:"skipped"` // times that a slow viewer went on at the newest message
	History  kept      `json:"history"`
	Dead     uint64    `json:"dead"` // letters
	Services []service `json:"services"`
	Source   *source   `json:"source,omitempty"`    // of the service that reads X
	X        *x        `json:"simulated,omitempty"` // if X is
	Tags     []string  `json:"tags"`                // of the rules that it was started with
}

type kept struct {
	Posts int  `json:"posts"`
	Most  int  `json:"most"`
	Gone  bool `json:"gone"` // at the end
}

type service struct {
	Name     string `json:"name"` // "web", or "x" for the one that reads X
	Received uint64 `json:"received"`
	Repeats  uint64 `json:"repeats"`
	Held     string `json:"held,omitempty"`
	Sinks    []sink `json:"sinks"`
}

type sink struct {
	Name      string            `json:"name"`
	State     string            `json:"state"`
	Delivered uint64            `json:"delivered"`
	Waiting   uint64            `json:"waiting"`
	Bytes     int64             `json:"waitingBytes"`
	Oldest    float64           `json:"oldest"` // of those that wait, in seconds
	Failures  uint64            `json:"failures"`
	Lost      uint64            `json:"lost"` // by reasons, each named in the dead letter
	Reasons   map[string]uint64 `json:"reasons,omitempty"`
	Error     string            `json:"error,omitempty"` // the last one
}

type source struct {
	Connected   bool              `json:"connected"`
	Connects    uint64            `json:"connects"`
	Disconnects uint64            `json:"disconnects"`
	Stalls      uint64            `json:"stalls"`
	Malformed   uint64            `json:"malformed"`
	Lag         float64           `json:"lag"`    // seconds
	Silent      float64           `json:"silent"` // for so many seconds
	Held        string            `json:"held,omitempty"`
	Recovered   uint64            `json:"recovered"`
	Filled      uint64            `json:"gapsFilled"`
	Lost        uint64            `json:"gapsLost"`
	Open        int               `json:"gapsOpen"`
	Read        xstream.Reads     `json:"read"`
	Budget      xstream.Reads     `json:"budget"`
	Cost        float64           `json:"cost"`
	Ends        map[string]uint64 `json:"ends,omitempty"`
}

type x struct {
	Matched int64 `json:"matched"` // made-up Posts that a rule wanted
	Sent    int64 `json:"sent"`
	Gone    bool  `json:"gone"` // the second service, as the page has asked
}

func figures(ctx context.Context, v *viewers, r *reader) stats {
	hub := v.hub.Stats()
	st := stats{Viewers: hub.Viewers, Skipped: hub.Skipped, Services: []service{serviceOf("web", v.streamer.Stats())}, Tags: []string{}}
	st.History = kept{Most: v.history.keep, Gone: v.history.gone}
	st.History.Posts, _ = v.history.count(ctx) // without it there is 0
	if r != nil {
		service, from := serviceOf("x", r.streamer.Stats()), r.source.Stats()
		service.Held = cmp.Or(from.Held, service.Held) // what nobody but money or the calendar mends
		st.Services = append(st.Services, service)
		st.Source, st.Tags = sourceOf(from), r.tags
		if r.x != nil {
			made := r.x.Stats()
			st.X = &x{Matched: made.Matched, Sent: made.Sent, Gone: r.faults.gone.Load()}
		}
	}
	for _, s := range st.Services {
		for _, to := range s.Sinks {
			st.Dead += to.Lost
		}
	}
	return st
}

func serviceOf(name string, st tweetstream.Stats) service {
	s := service{Name: name, Received: st.Received, Repeats: st.Repeats, Held: st.Held}
	for _, of := range st.Sinks {
		one := sink{
			Name: of.Name, State: string(of.State), Delivered: of.Delivered, Waiting: of.Waiting, Bytes: of.WaitingBytes,
			Oldest: of.Oldest.Seconds(), Failures: of.Failures, Reasons: map[string]uint64{}, Error: of.LastError,
		}
		for reason, n := range of.Lost {
			one.Lost += n
			one.Reasons[string(reason)] = n
		}
		s.Sinks = append(s.Sinks, one)
	}
	return s
}

func sourceOf(st xstream.Stats) *source {
	s := &source{
		Connected: st.Connected, Connects: st.Connects, Disconnects: st.Disconnects, Stalls: st.Stalls, Malformed: st.Malformed,
		Lag: st.Lag.Seconds(), Held: st.Held, Recovered: st.Recovered, Filled: st.RecoveredGaps, Lost: st.LostGaps, Open: len(st.OpenGaps),
		Read: st.Read, Budget: st.Budget, Cost: st.Cost, Ends: st.Ends,
	}
	if !st.LastReceived.IsZero() {
		s.Silent = time.Since(st.LastReceived).Seconds()
	}
	return s
}
