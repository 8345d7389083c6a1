package main_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"syscall"
	"testing"
	"time"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/journal/boltjournal"
	"github.com/tweetstream-go/tweetstream/sinks/filesink"
	"github.com/tweetstream-go/tweetstream/sinks/wshub"
	"github.com/tweetstream-go/tweetstream/sources/xstream"
)

// An errand is what a candidate, a process of its own, is told to do: its time and
// its memory are then its own too, in whatever language it is written.
type errand struct {
	Reader string // a key of readers
	Addr   string // of the load
	Posts  int

	// For the reader tweetstream alone.
	Sinks   int           // that count, check the order, and measure
	Each    bool          // a Post a Deliver, not up to 500
	Hub     bool          // serve a hub, and print its address
	Buffer  int           // bytes that may wait for a sink, an eighth of it for the viewer; 0: the defaults
	File    string        // write a file
	Journal string        // keep the log here
	Look    time.Duration // at the memory, again and again
}

// A report is what it says at its end.
type report struct {
	tally
	P50, P99, P999 time.Duration // from X's line to the first sink
	CPU            time.Duration // since before it connected
	Mallocs        uint64        // as CPU
	Peak           int64         // bytes of memory, of the whole process
	Lost           uint64        // what the Streamer itself says
	Resident       int64         // bytes of memory, at the moment that the reader chooses
	Looks          []int64       // the same, every Look
}

const errandVariable = "TWEETSTREAM_BENCH_ERRAND"

// TestMain lets the test binary be a candidate.
func TestMain(m *testing.M) {
	told := os.Getenv(errandVariable)
	if told == "" {
		os.Exit(m.Run())
	}
	var e errand
	err := json.Unmarshal([]byte(told), &e)
	if err == nil {
		err = e.run()
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", e.Reader, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func (e errand) run() error {
	if name := os.Getenv("TWEETSTREAM_BENCH_PROFILE"); name != "" {
		f, err := os.Create(name)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := cpu()
	r, err := readers[e.Reader](e)
	if err != nil {
		return err
	}
	r.CPU = cpu() - began
	runtime.ReadMemStats(&after)
	r.Mallocs = after.Mallocs - before.Mallocs
	r.Peak = fromStatus("VmHWM:")
	return json.NewEncoder(os.Stdout).Encode(r)
}

// cpu returns the processor time that this process has taken.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// readers are the ways to read the stream.
var readers = map[string]func(errand) (report, error){
	"discard":       discard,
	"encoding-json": encodingJSON,
	"go-twitter":    goTwitter,
	"gotwi":         gotwiClient,
	"fallenstedt":   fallenstedt,
	"tweetstream":   stream,
}

// check is a sink that checks the order and measures.
type check struct {
	tally
	measure bool
	of      int
	done    func()
}

func (c *check) Deliver(_ context.Context, tweets []*tweetstream.Tweet) error {
	for _, t := range tweets {
		c.see(t.ID)
		if c.measure {
			c.late = append(c.late, time.Since(sentAt(t.Raw)))
		}
	}
	if c.next == firstID+uint64(c.of) {
		c.done()
	}
	return nil
}

// stream is this library, as its users have it: no option but what the errand
// asks for.
func stream(e errand) (r report, err error) {
	src, err := xstream.New(xstream.Token("any"), xstream.BaseURL("http://"+e.Addr), xstream.Sample())
	if err != nil {
		return r, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var opts []tweetstream.Option
	hubOpts := []wshub.Option{wshub.Newest(0)}
	if e.Buffer > 0 {
		opts = append(opts, tweetstream.WithBuffer(e.Buffer))
		hubOpts = append(hubOpts, wshub.MaxLag(int64(e.Buffer)/8, time.Minute))
	}
	left := make(chan struct{})
	checks := make([]*check, e.Sinks)
	for i := range checks {
		// A sink that measures each Post costs more: for latencies, not for CPU.
		checks[i] = &check{of: e.Posts, measure: e.Each && i == 0, done: func() { left <- struct{}{} }}
		batch := tweetstream.Batch(500, 0)
		if e.Each {
			batch = tweetstream.Batch(1, 0)
		}
		opts = append(opts, tweetstream.WithSink(fmt.Sprint("check-", i+1), checks[i], batch))
	}
	if e.File != "" {
		f, err := filesink.Open(e.File)
		if err != nil {
			return r, err
		}
		defer f.Close()
		opts = append(opts, tweetstream.WithSink("file", f))
	}
	if e.Journal != "" {
		j, err := boltjournal.Open(e.Journal)
		if err != nil {
			return r, err
		}
		defer j.Close()
		opts = append(opts, tweetstream.WithJournal(j))
	}
	if e.Hub {
		hub, err := wshub.New(hubOpts...)
		if err != nil {
			return r, err
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return r, err
		}
		server := &http.Server{Handler: hub}
		go server.Serve(l)
		defer server.Close()
		fmt.Println(l.Addr())
		for hub.Stats().Viewers == 0 { // the load begins with the connection
			time.Sleep(time.Millisecond)
		}
		opts = append(opts, tweetstream.WithSink("hub", hub))
		defer hub.Close(context.Background()) // once its viewer has all
	}
	s, err := tweetstream.New(src, opts...)
	if err != nil {
		return r, err
	}
	go func() {
		for range checks {
			<-left
		}
		cancel() // the other sinks get what they lack within the drain
	}()
	looked := make(chan struct{})
	go func() {
		defer close(looked)
		if e.Look == 0 {
			return
		}
		tick := time.NewTicker(e.Look)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				runtime.GC()
				r.Looks = append(r.Looks, resident())
			case <-ctx.Done():
				return
			}
		}
	}()
	err = s.Run(ctx)
	<-looked
	if err != nil {
		return r, err
	}
	for _, sink := range s.Stats().Sinks {
		for _, n := range sink.Lost {
			r.Lost += n
		}
	}
	r.tally = checks[0].tally
	for _, c := range checks[1:] {
		r.Missing += c.Missing
		r.Again += c.Again
	}
	r.P50, r.P99, r.P999 = percentiles(checks[0].late)
	return r, nil
}

// A process is a candidate at work.
type process struct {
	b   *testing.B
	cmd *exec.Cmd
	out *bufio.Reader
}

func (e errand) start(b *testing.B) *process {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	if readers[e.Reader] == nil {
		cmd = exec.Command("node", filepath.Join("..", "xclients", "bench.mjs"))
	}
	told, err := json.Marshal(e)
	if err != nil {
		b.Fatal(err)
	}
	cmd.Env = append(os.Environ(), errandVariable+"="+string(told))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	return &process{b, cmd, bufio.NewReader(out)}
}

// wait returns the report.
func (p *process) wait() (r report) {
	p.b.Helper()
	decoded := json.NewDecoder(p.out).Decode(&r)
	if err := errors.Join(decoded, p.cmd.Wait()); err != nil {
		p.b.Fatal(err)
	}
	if r.CPU == 0 { // one that does not know its own
		r.CPU = p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
		r.Peak = p.cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10
	}
	return r
}
