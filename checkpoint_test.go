package tweetstream_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tweetstream-go/tweetstream"
)

func TestCheckpointThatCannotBeUsedIsRefused(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	link := filepath.Join(dir, "link")
	cases := map[string]string{
		write("garbage", "garbage"):           "no checkpoint",
		write("newer", `{"version":7}`):       "version 7",
		filepath.Join(dir, "none", "at-all"):  "no such file",
		filepath.Join(dir, "target", "below"): "not a directory",
		dir:                                   "is a directory",
	}
	if err := os.Symlink(write("target", `{"version":1}`), link); err != nil {
		t.Log("not tried with a symbolic link, which this system does not make:", err)
	} else {
		cases[link] = "symbolic link"
	}
	for path, want := range cases {
		sink := tweetstream.SinkFunc(func(context.Context, *tweetstream.Tweet) error { return nil })
		s, err := tweetstream.New(ending(), tweetstream.WithSink("sink", sink), tweetstream.WithCheckpoint(path))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Run(t.Context()); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "checkpoint") {
			t.Errorf("Run() with checkpoint %s = %v, want %q", path, err, want)
		}
	}
}

func TestCheckpointIsPrivateAndItsTroubleIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "state")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "checkpoint")
		var log lines
		var sink recorder
		next := make(chan int)
		src := source(func(ctx context.Context, _ []byte, emit tweetstream.Emit) error {
			for {
				select {
				case id := <-next:
					if err := emit(ctx, posts(id, id), fmt.Append(nil, id)); err != nil {
						return err
					}
				case <-ctx.Done():
					return nil
				}
			}
		})
		r := start(t, src, tweetstream.WithSink("sink", &sink), tweetstream.WithCheckpoint(path), tweetstream.WithLogger(log.logger()))
		next <- 1
		after(3 * time.Second)
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("checkpoint: %v, %v, want it for nobody else", info, err)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		next <- 2
		after(10 * time.Second)
		if n := strings.Count(log.String(), "can't be stored"); n != 1 {
			t.Errorf("the trouble is said %d times:\n%s", n, log.String())
		}
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		after(3 * time.Second)
		if !strings.Contains(log.String(), "is stored again") {
			t.Errorf("the end of the trouble is not said:\n%s", log.String())
		}
		r.stop()
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
			t.Errorf("left in the folder: %v, %v, want the checkpoint alone", entries, err)
		}
	})
}

// A sink that is down for long costs no memory for states, and the checkpoint
// stays behind it all the same.
func TestManyStatesBehindASlowSink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "checkpoint")
		const n = 5_000
		var from []byte
		src := source(func(ctx context.Context, state []byte, emit tweetstream.Emit) error {
			from = state
			for id := 1; id <= n; id++ {
				if err := emit(ctx, posts(id, id), fmt.Append(nil, id)); err != nil {
					return err
				}
			}
			<-ctx.Done()
			return nil
		})
		var passed atomic.Int64
		sink := recorder{fail: func(ctx context.Context, call int, tweets []*tweetstream.Tweet) error {
			if call > 3_000 {
				<-ctx.Done()
				return errors.New("down")
			}
			passed.Add(1)
			return nil
		}}
		opts := []tweetstream.Option{tweetstream.WithSink("sink", &sink), tweetstream.WithCheckpoint(path), tweetstream.WithDrain(0)}
		r := start(t, src, opts...)
		after(time.Minute)
		r.stop()
		r = start(t, src, opts...)
		r.stop()
		var id int64
		if _, err := fmt.Sscan(string(from), &id); err != nil || id > passed.Load() || id < passed.Load()-100 {
			t.Errorf("the next run begins from %q, want a little before %d", from, passed.Load())
		}
	})
}
