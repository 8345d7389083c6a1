package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/journal/boltjournal"
)

// journalCmd sees to journals that no run has at the moment.
type journalCmd struct {
	Stat    journalStatCmd    `cmd:"" help:"Show what is in the journal in the folder DIR, and how far the sinks are."`
	Compact journalCompactCmd `cmd:"" help:"Give back to the disk what the journal in the folder DIR does not use."`
}

type journalStatCmd struct {
	Dir  string `arg:"" name:"DIR" help:"The folder of a run's --journal."`
	JSON bool   `name:"json" help:"Write one JSON object instead."`
}

type journalCompactCmd struct {
	Dir string `arg:"" name:"DIR" help:"The folder of a run's --journal."`
}

// Run is called by kong.
func (c *journalStatCmd) Run(ctx context.Context) error {
	st, err := boltjournal.Check(ctx, c.Dir) // Stat would find no damage
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(journalJSON(st))
	}
	fmt.Printf("%d entries (%d of them tombstones), %s to %s\n%d bytes in use, in a file of %d\n",
		st.Entries, st.Tombstones, day(st.Oldest), day(st.Newest), st.Used, st.File)
	if st.Damaged > 0 {
		fmt.Printf("%d entries are damaged\n", st.Damaged)
	}
	fmt.Println()
	t := newTable(os.Stdout, "SINK", "WAITING", "LAST USED")
	for _, s := range st.Cursors {
		t.row(s.Sink, fmt.Sprint(s.Waiting), day(s.Seen))
	}
	return t.Flush()
}

// journalJSON names the figures as the log does.
func journalJSON(st boltjournal.Stats) any {
	type sink struct {
		Name    string    `json:"name"`
		Next    uint64    `json:"next"`
		Waiting uint64    `json:"waiting"`
		Seen    time.Time `json:"seen,omitzero"`
	}
	sinks := []sink{}
	for _, c := range st.Cursors {
		sinks = append(sinks, sink{c.Sink, c.Pos, c.Waiting, c.Seen.UTC()})
	}
	return struct {
		First      uint64    `json:"first"`
		Next       uint64    `json:"next"`
		Entries    uint64    `json:"entries"`
		Tombstones uint64    `json:"tombstones"`
		Oldest     time.Time `json:"oldest,omitzero"`
		Newest     time.Time `json:"newest,omitzero"`
		Bytes      int64     `json:"bytes"`
		File       int64     `json:"file"`
		Damaged    uint64    `json:"damaged"`
		Sinks      []sink    `json:"sinks"`
	}{st.First, st.Next, st.Entries, st.Tombstones, st.Oldest.UTC(), st.Newest.UTC(), st.Used, st.File, st.Damaged, sinks}
}

// day is a time as the tables show it.
func day(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format(time.DateTime)
}

// Run is called by kong.
func (c *journalCompactCmd) Run(ctx context.Context) error {
	before, after, err := boltjournal.Compact(ctx, c.Dir)
	if err != nil {
		return err
	}
	fmt.Printf("%d bytes before, %d after\n", before, after)
	return nil
}

// journalNote is what the line of figures says of a journal; mostly nothing.
func journalNote(st tweetstream.Stats, j boltjournal.Stats) string {
	switch {
	case len(st.Sinks) == 0: // they are known once the journal is this process's
		return "standby: another process may have the journal"
	case j.Limit > 0 && j.Used > j.Limit/10*7:
		return fmt.Sprintf("journal %d %% full", j.Used*100/j.Limit)
	case j.Damaged > 0:
		return fmt.Sprintf("journal: %d damaged", j.Damaged)
	}
	return ""
}
