package hub_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	_ "modernc.org/sqlite"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/journal/boltjournal"
	"github.com/tweetstream-go/tweetstream/sinks/sqlsink"
	"github.com/tweetstream-go/tweetstream/sinks/wshub"
	"github.com/tweetstream-go/tweetstream/sources/httpsource"
)

// feed is a process that takes Posts over HTTP and shows them, and can be killed.
type feed struct {
	Dir  string
	Addr string
	SQL  bool // viewers who come back get what lies between from a database, not from the journal
}

const feedVariable = "TWEETSTREAM_FEED"

func (f feed) run() error {
	ctx := context.Background()
	journal, err := boltjournal.Open(filepath.Join(f.Dir, "journal"))
	if err != nil {
		return err
	}
	src, err := httpsource.New(httpsource.Hosts("*"))
	if err != nil {
		return err
	}
	opts := []tweetstream.Option{tweetstream.WithJournal(journal)}
	history := wshub.JournalHistory(journal)
	if f.SQL {
		db, err := sqlsink.Open(ctx, "sqlite", filepath.Join(f.Dir, "posts.sqlite"))
		if err != nil {
			return err
		}
		history = db
		opts = append(opts, tweetstream.WithSink("sql", db, tweetstream.Batch(500, 100*time.Millisecond)))
	}
	// The hub itself has some hundred Posts.
	hub, err := wshub.New(wshub.Resume(history), wshub.MaxLag(256<<10, time.Minute))
	if err != nil {
		return err
	}
	s, err := tweetstream.New(src, append(opts, tweetstream.WithSink("hub", hub, tweetstream.Live(100)))...)
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	for s.Stats().State != tweetstream.Running {
		select {
		case err := <-ended:
			return err
		case <-time.After(time.Millisecond):
		}
	}
	mux := http.NewServeMux()
	mux.Handle("/feed", hub)
	mux.Handle("/tweets", src)
	l, err := net.Listen("tcp", f.Addr)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	return http.Serve(l, mux)
}

// start starts the process and waits until it serves.
func (f feed) start(t *testing.T) *exec.Cmd {
	t.Helper()
	told, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), feedVariable+"="+string(told))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatalf("the feed says %q, %v, %v", line, err, cmd.Wait())
	}
	return cmd
}

// post sends Posts until the feed has them. It may hear that only of the second
// that it has sent.
func (f feed) post(ctx context.Context, from, n int) error {
	var body bytes.Buffer
	for i := from; i < from+n; i++ {
		fmt.Fprintf(&body, "{\"data\":{\"id\":\"%d\",\"text\":\"%0400d\"}}\n", i, i)
	}
	for ctx.Err() == nil {
		resp, err := http.Post("http://"+f.Addr+"/tweets", "application/x-ndjson", bytes.NewReader(body.Bytes()))
		if err == nil {
			resp.Body.Close()
			switch resp.StatusCode {
			case http.StatusNoContent:
				return nil
			case http.StatusServiceUnavailable:
			default:
				return fmt.Errorf("the feed answers %s", resp.Status)
			}
		}
		<-time.After(10 * time.Millisecond)
	}
	return ctx.Err()
}

// guest is a viewer who comes back.
type guest struct {
	addr  string
	pause time.Duration // before it comes back
	last  atomic.Int64  // the number of the Post that it has seen last
	times int           // that it came
}

// watch looks on until the guest has all Posts up to this number.
func (g *guest) watch(ctx context.Context, until int) error {
	for int(g.last.Load()) < until {
		if err := g.visit(ctx, until); err != nil {
			return err
		}
		select {
		case <-time.After(g.pause/2 + rand.N(g.pause)):
		case <-ctx.Done():
			return fmt.Errorf("it has %d Posts, and waits for more", g.last.Load())
		}
	}
	return nil
}

// visit looks on until the connection ends. What comes must be what is next.
func (g *guest) visit(ctx context.Context, until int) error {
	url := "ws://" + g.addr + "/feed"
	if last := g.last.Load(); last > 0 {
		url += fmt.Sprint("?since=", last)
	}
	dialer := ws.Dialer{Timeout: 5 * time.Second}
	conn, early, _, err := dialer.Dial(ctx, url)
	if err != nil {
		return nil // it is down
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	g.times++
	var in io.Reader = conn
	if early != nil {
		in = early
	}
	stream := struct {
		io.Reader
		io.Writer
	}{in, conn}
	for int(g.last.Load()) < until {
		raw, err := wsutil.ReadServerText(stream)
		if err != nil {
			return nil
		}
		t, err := tweetstream.ParseTweet(raw)
		if err != nil {
			return fmt.Errorf("behind %d comes %.100s", g.last.Load(), raw)
		}
		if want := fmt.Sprint(g.last.Load() + 1); t.ID != want {
			return fmt.Errorf("Post %s, want %s", t.ID, want)
		}
		g.last.Add(1)
	}
	return nil
}

// The feed is killed under 200 viewers, five times, and comes back. Each ends with
// every Post once, in order: out of the hub, which fills itself from the journal,
// and what lies further back out of the journal, or of a database.
func TestKilled(t *testing.T) {
	if os.Getenv("TWEETSTREAM_E2E") != "1" {
		t.Skip("kills processes, for TWEETSTREAM_E2E")
	}
	for _, history := range []string{"journal", "sql"} {
		t.Run(history, func(t *testing.T) {
			const viewers, posts, batch, kills = 200, 6000, 20, 5
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			f := feed{t.TempDir(), l.Addr().String(), history == "sql"}
			_ = l.Close()
			process := f.start(t)
			defer func() {
				_ = process.Process.Kill()
				_ = process.Wait()
			}()
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()

			guests := make([]*guest, viewers)
			var looking sync.WaitGroup
			for i := range guests {
				g := &guest{addr: f.Addr, pause: 50 * time.Millisecond}
				if i%4 == 0 {
					g.pause = 2 * time.Second // the hub itself has less than that
				}
				guests[i] = g
				looking.Go(func() {
					if err := g.watch(ctx, posts); err != nil {
						t.Errorf("viewer %d, which came %d times: %v", i, g.times, err)
					}
				})
			}
			// All have seen a Post before the first end: one who has seen
			// nothing can't say where to go on.
			if err := f.post(ctx, 1, 1); err != nil {
				t.Fatal(err)
			}
			for _, g := range guests {
				for g.last.Load() == 0 {
					if ctx.Err() != nil {
						t.Fatal("not everybody has seen the first Post")
					}
					<-time.After(time.Millisecond)
				}
			}
			posted := make(chan error, 1)
			go func() {
				for i := 2; i <= posts; i += batch {
					if err := f.post(ctx, i, min(batch, posts+1-i)); err != nil {
						posted <- err
						return
					}
					<-time.After(30 * time.Millisecond)
				}
				posted <- nil
			}()
			for range kills {
				<-time.After(time.Second + rand.N(time.Second))
				if err := process.Process.Kill(); err != nil {
					t.Fatal(err)
				}
				_ = process.Wait()
				process = f.start(t)
			}
			if err := <-posted; err != nil {
				t.Error(err)
			}
			looking.Wait()
			came := 0
			for _, g := range guests {
				came += g.times
			}
			if came < viewers*kills {
				t.Errorf("%d viewers came %d times: they were not all there at each end", viewers, came)
			}
			t.Logf("%d viewers came %d times, and have %d Posts each", viewers, came, posts)
		})
	}
}
