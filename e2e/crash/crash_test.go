// Package crash_test ends a service in every way that a machine can: kill -9, loss
// of power, a full disk, a receiver that is gone. What the service has taken in
// must be in its file once, and with its receiver at least once, in order.
package crash_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/tweetstream-go/tweetstream/journal/boltjournal"
)

// rate is how many Posts a second the service gets.
const rate = 2000

// service is the relay under test, with the two that it stands between.
type service struct {
	t      *testing.T
	dir    string
	listen string

	receiver *httptest.Server
	down     atomic.Bool // the receiver answers 503

	mu      sync.Mutex
	lives   [][]int      // what the receiver got, by the service's lives
	outages map[int]bool // in which of them it was down

	owed    int // the first Post that the receiver is owed, if it is known
	process *exec.Cmd
	log     *lines       // of the life at hand
	taken   atomic.Int64 // the last Post that the service has said to have
	stop    context.CancelFunc
	posted  chan struct{}
}

func newService(t *testing.T, dir string) *service {
	t.Helper()
	s := &service{t: t, dir: dir, posted: make(chan struct{}), outages: map[int]bool{}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.listen = l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	s.receiver = httptest.NewServer(http.HandlerFunc(s.receive))
	t.Cleanup(s.receiver.Close)
	t.Cleanup(func() {
		if s.process != nil {
			s.kill()
		}
	})
	return s
}

// receive is the receiver. The path of the URL is the number of the service's life.
func (s *service) receive(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // killed half-way
	}
	life, err := strconv.Atoi(r.URL.Path[1:])
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if s.down.Load() {
		s.mu.Lock()
		s.outages[life] = true
		s.mu.Unlock()
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	var ids []int
	for line := range bytes.Lines(body) {
		id, err := idOf(line)
		if err != nil {
			s.t.Errorf("the receiver got a line of %d bytes that is no Post: %v", len(line), err)
			return
		}
		ids = append(ids, id)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lives[life] = append(s.lives[life], ids...)
}

// idOf returns the number of a Post that is whole, byte for byte.
func idOf(line []byte) (int, error) {
	line = bytes.TrimSuffix(line, []byte("\n"))
	text, _, _ := bytes.Cut(bytes.TrimPrefix(line, []byte(`{"data":{"id":"`)), []byte(`"`))
	id, err := strconv.Atoi(string(text))
	if err == nil && string(line) != message(id) {
		err = errors.New("it is not as it was sent")
	}
	return id, err
}

// start starts the service anew.
func (s *service) start() {
	s.t.Helper()
	s.mu.Lock()
	s.lives = append(s.lives, nil)
	life := len(s.lives) - 1
	s.mu.Unlock()
	s.process = s.command("relay", s.dir, s.listen, fmt.Sprintf("%s/%d", s.receiver.URL, life))
	s.log = &lines{}
	s.process.Stderr = s.log
	if err := s.process.Start(); err != nil {
		s.t.Fatal(err)
	}
}

// lines is what a process writes.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (s *service) command(as string, args ...string) *exec.Cmd {
	s.t.Helper()
	exe, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), child+"="+as)
	return cmd
}

// kill ends the service as kill -9 does.
func (s *service) kill() {
	s.t.Helper()
	_ = s.process.Process.Kill()
	err := s.process.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || !exit.Sys().(syscall.WaitStatus).Signaled() {
		s.t.Errorf("the service had ended before it was killed, %v:\n%s", err, s.log.String())
	}
	s.process = nil
}

// end ends the service as a supervisor does, once it is up: before, it may not
// listen to signals yet.
func (s *service) end() {
	s.t.Helper()
	s.up()
	_ = s.process.Process.Signal(syscall.SIGTERM)
	if err := s.process.Wait(); err != nil {
		s.t.Errorf("the service ends with %v:\n%s", err, s.log.String())
	}
	s.process = nil
}

// up waits until the service takes connections.
func (s *service) up() {
	s.t.Helper()
	for begin := time.Now(); time.Since(begin) < time.Minute; time.Sleep(5 * time.Millisecond) {
		if conn, err := net.Dial("tcp", s.listen); err == nil {
			conn.Close()
			return
		}
	}
	s.t.Fatalf("the service does not come up:\n%s", s.log.String())
}

// feed posts at the rate until stopFeeding, each batch again until the service
// says that it has it.
func (s *service) feed() {
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	go func() {
		defer close(s.posted)
		const batch = 20
		tick := time.NewTicker(time.Second * batch / rate)
		defer tick.Stop()
		client := &http.Client{Timeout: 20 * time.Second}
		for first := 1; ; first += batch {
			var body strings.Builder
			for id := first; id < first+batch; id++ {
				body.WriteString(message(id))
				body.WriteByte('\n')
			}
			for !s.post(client, body.String()) {
				if ctx.Err() != nil {
					return
				}
				time.Sleep(5 * time.Millisecond)
			}
			s.taken.Store(int64(first + batch - 1))
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}()
}

func (s *service) post(client *http.Client, body string) bool {
	resp, err := client.Post("http://"+s.listen, "application/x-ndjson", strings.NewReader(body))
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode == http.StatusNoContent
}

// stopFeeding returns the last Post that the service has taken.
func (s *service) stopFeeding() int {
	s.stop()
	<-s.posted
	return int(s.taken.Load())
}

// waitFor waits until the receiver and the file have the Post.
func (s *service) waitFor(last int, limit time.Duration) {
	s.t.Helper()
	for begin := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		s.mu.Lock()
		got := s.lives[len(s.lives)-1]
		received := last < s.owed || len(got) > 0 && got[len(got)-1] >= last
		s.mu.Unlock()
		if received && s.fileEnds(last) {
			return
		}
		if time.Since(begin) > limit {
			s.t.Fatalf("after %v the receiver or the file lacks Post %d:\n%s", limit, last, s.log.String())
		}
	}
}

// fileEnds reports whether the last line of the file is that Post, or a later one.
func (s *service) fileEnds(last int) bool {
	f, err := os.Open(filepath.Join(s.dir, "posts.ndjson"))
	if err != nil {
		return false
	}
	defer f.Close()
	tail := make([]byte, 4*len(message(last)))
	info, err := f.Stat()
	if err != nil {
		return false
	}
	n, _ := f.ReadAt(tail, max(0, info.Size()-int64(len(tail))))
	lines := bytes.Split(bytes.TrimSuffix(tail[:n], []byte("\n")), []byte("\n"))
	id, err := idOf(lines[len(lines)-1])
	return err == nil && id >= last
}

// cursor returns the next Post that a sink is owed, while no service runs.
func (s *service) cursor(sink string) int {
	s.t.Helper()
	st, err := boltjournal.Stat(s.t.Context(), filepath.Join(s.dir, "journal"))
	if errors.Is(err, fs.ErrNotExist) {
		return 1 // killed before it made one
	}
	if err != nil {
		s.t.Fatal(err)
	}
	for _, c := range st.Cursors {
		if c.Sink == sink {
			return int(c.Pos) + 1 // the first Post, 1, is at position 0
		}
	}
	return 1
}

// checkFile wants each Post up to last once in the file, in order.
func checkFile(t *testing.T, path string, last int) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	want := 1
	for ; lines.Scan(); want++ {
		if id, err := idOf(lines.Bytes()); err != nil || id != want {
			t.Fatalf("line %d of the file is Post %d, %v", want, id, err)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if want <= last {
		t.Errorf("the file ends with Post %d, want %d", want-1, last)
	}
}

// checkReceiver wants each Post up to last at the receiver: in each life of the
// service in order and once, from its cursor on. At the end of an outage one Post
// may pass by those before it.
func (s *service) checkReceiver(last int, cursors []int) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	end, repeats := 0, 0
	for life, got := range s.lives {
		if len(got) == 0 {
			continue
		}
		first, passedBy := got[0], 0
		for i, id := range got {
			if i > 0 && id < got[i-1] {
				passedBy++ // see "Order" in the comment of the package
			}
			first = min(first, id)
		}
		if first != cursors[life] {
			s.t.Errorf("life %d begins with Post %d, its cursor is at %d", life, first, cursors[life])
		}
		if first > end+1 {
			s.t.Errorf("Posts %d to %d never came: life %d begins with %d", end+1, first-1, life, first)
		}
		if outage := s.outages[life]; passedBy > 1 || passedBy == 1 && !outage {
			s.t.Errorf("life %d: Posts were passed by %d times", life, passedBy)
		}
		slices.Sort(got)
		for i, id := range got {
			if id != first+i {
				s.t.Fatalf("life %d: Post %d is followed by %d", life, got[i-1], id)
			}
		}
		repeats += max(0, end+1-first)
		end = max(end, got[len(got)-1])
	}
	if end < last {
		s.t.Errorf("the receiver ends with Post %d, want %d", end, last)
	}
	s.t.Logf("%d Posts, %d lives, %d came again", end, len(s.lives), repeats)
}

// long reports whether the long tests are asked for, as in CI.
func long() bool { return os.Getenv("TWEETSTREAM_E2E") == "1" }

func TestKillNine(t *testing.T) {
	kills := 5
	if long() {
		kills = 20
	}
	s := newService(t, t.TempDir())
	random := rand.New(rand.NewPCG(1, 2))
	s.feed()
	cursors := []int{1}
	s.start()
	for i := range kills {
		// Some while it still reads the journal, others under load; and every
		// third dies while its journal is compacted.
		wait := time.Duration(random.IntN(100)) * time.Millisecond
		if i%4 != 0 {
			wait = time.Duration(300+random.IntN(2200)) * time.Millisecond
		}
		time.Sleep(wait)
		s.kill()
		if i%3 == 0 {
			c := s.command("compact", s.dir)
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Duration(random.IntN(60)) * time.Millisecond)
			_ = c.Process.Kill()
			_ = c.Wait()
		}
		cursors = append(cursors, s.cursor("http"))
		s.start()
	}
	time.Sleep(time.Second)
	last := s.stopFeeding()
	s.waitFor(last, time.Minute)
	s.end()
	if last < 20*kills {
		t.Errorf("only %d Posts were taken", last)
	}
	s.checkReceiver(last, cursors)
	checkFile(t, filepath.Join(s.dir, "posts.ndjson"), last)
}

// The receiver is gone, the file goes on, and the service is killed meanwhile.
func TestReceiverGoneForMinutes(t *testing.T) {
	gone, every := 4*time.Second, 2*time.Second
	if long() {
		gone, every = time.Minute, 10*time.Second
	}
	if os.Getenv("TWEETSTREAM_CHAOS") == "1" { // the longest forms are asked for by themselves
		gone, every = 5*time.Minute, 30*time.Second
	}
	t.Parallel()
	s := newService(t, t.TempDir())
	s.feed()
	cursors := []int{1}
	s.start()
	time.Sleep(2 * time.Second)
	s.down.Store(true)
	for begin := time.Now(); time.Since(begin) < gone; {
		time.Sleep(every)
		s.kill()
		cursors = append(cursors, s.cursor("http"))
		s.start()
	}
	s.down.Store(false)
	back, waiting := time.Now(), int(s.taken.Load())
	time.Sleep(2 * time.Second)
	last := s.stopFeeding()
	s.waitFor(last, 5*time.Minute)
	t.Logf("%d Posts waited; all were there %v after the receiver came back", waiting-cursors[len(cursors)-1], time.Since(back).Round(time.Second))
	s.end()
	s.checkReceiver(last, cursors)
	checkFile(t, filepath.Join(s.dir, "posts.ndjson"), last)
}
