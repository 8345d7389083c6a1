package crash_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tweetstream-go/tweetstream/journal/boltjournal"
)

// disk makes an image of a small disk with a file system and mounts it.
func disk(t *testing.T, mebibytes int64) (image, folder string) {
	t.Helper()
	dir := t.TempDir()
	image = filepath.Join(dir, "disk")
	f, err := os.Create(image)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(mebibytes << 20); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mkfs.ext4", "-q", image).CombinedOutput(); err != nil {
		without(t, "mkfs.ext4: %v %s", err, out)
	}
	return image, mount(t, image)
}

// mount mounts the image of a disk until the test's end.
func mount(t *testing.T, image string) (folder string) {
	t.Helper()
	folder = t.TempDir()
	if out, err := exec.Command("mount", "-o", "loop", image, folder).CombinedOutput(); err != nil {
		without(t, "mount: %v %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", folder).CombinedOutput(); err != nil {
			t.Errorf("umount: %v %s", err, out)
		}
	})
	return folder
}

// without leaves the test out where the machine does not let it mount a disk,
// unless it must run.
func without(t *testing.T, format string, args ...any) {
	t.Helper()
	if long() {
		t.Fatalf("TWEETSTREAM_E2E asks for a disk that can be mounted: "+format, args...)
	}
	t.Skipf("no disk can be mounted here: "+format, args...)
}

func TestFullDisk(t *testing.T) {
	_, dir := disk(t, 256)
	s := newService(t, dir)
	s.feed()
	cursors := []int{1}
	s.start()
	s.waitFor(rate, time.Minute)
	s.down.Store(true) // so that the journal has to keep what comes

	ballast := filepath.Join(dir, "ballast")
	for i := range 3 {
		fill(t, ballast)
		full := s.taken.Load()
		time.Sleep(3 * time.Second)
		if now := s.taken.Load(); now > full+10*rate {
			t.Errorf("%d Posts were taken while the disk was full", now-full)
		}
		if i == 1 { // a service that starts on a full disk
			s.kill()
			cursors = append(cursors, s.cursor("http"))
			s.start()
		}
		for begin := time.Now(); !strings.Contains(s.log.String(), "the source is held"); time.Sleep(20 * time.Millisecond) {
			if time.Since(begin) > time.Minute {
				t.Fatalf("a full disk is not said:\n%s", s.log.String())
			}
		}
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
		before := s.taken.Load()
		for begin := time.Now(); s.taken.Load() < before+100; time.Sleep(20 * time.Millisecond) {
			if time.Since(begin) > time.Minute {
				t.Fatalf("nothing is taken though the disk has room again:\n%s", s.log.String())
			}
		}
	}
	s.down.Store(false)
	last := s.stopFeeding()
	s.waitFor(last, time.Minute)
	s.end()
	s.checkReceiver(last, cursors)
	checkFile(t, filepath.Join(dir, "posts.ndjson"), last)
}

// fill fills the disk to the last byte.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
	_ = f.Sync()
}

// A copy of the disk, taken while the service works, is what a loss of power
// leaves: without all that was not synced.
func TestLossOfPower(t *testing.T) {
	losses := 2
	if long() {
		losses = 10
	}
	image, dir := disk(t, 512)
	s := newService(t, dir)
	s.feed()
	s.start()
	type moment struct {
		image    string
		taken    int
		received int
	}
	var moments []moment
	for i := range losses {
		time.Sleep(time.Duration(700+137*i%800) * time.Millisecond)
		m := moment{image: filepath.Join(t.TempDir(), "disk")}
		// What the service has said until it stands still must be on the disk.
		if err := s.process.Process.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		stopped(t, s.process.Process.Pid)
		m.taken = int(s.taken.Load())
		s.mu.Lock()
		if got := s.lives[0]; len(got) > 0 {
			m.received = got[len(got)-1]
		}
		s.mu.Unlock()
		copyFile(t, image, m.image)
		if err := s.process.Process.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		moments = append(moments, m)
	}
	s.stopFeeding()
	s.kill()

	for i, m := range moments {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			after := newService(t, mount(t, m.image))
			st, err := boltjournal.Check(t.Context(), filepath.Join(after.dir, "journal"))
			if err != nil {
				t.Fatal(err)
			}
			if int(st.Next) < m.taken || st.Damaged > 0 {
				t.Fatalf("the journal ends at %d with %d damaged entries, and %d Posts were taken", st.Next, st.Damaged, m.taken)
			}
			cursors := []int{after.cursor("http")}
			after.owed = cursors[0]
			after.start()
			after.waitFor(int(st.Next), time.Minute)
			after.end()
			if cursors[0] > m.received+1 {
				t.Errorf("the cursor is at %d, the receiver had %d", cursors[0], m.received)
			}
			if got := after.lives[0]; len(got) > 0 && got[0] != cursors[0] {
				t.Errorf("it goes on with Post %d; its cursor is at %d", got[0], cursors[0])
			}
			checkFile(t, filepath.Join(after.dir, "posts.ndjson"), int(st.Next))
			t.Logf("%d Posts taken, %d in the journal, %d came again", m.taken, st.Next, m.received+1-cursors[0])
		})
	}
}

// stopped waits until a process stands still.
func stopped(t *testing.T, pid int) {
	t.Helper()
	for begin := time.Now(); time.Since(begin) < time.Minute; time.Sleep(time.Millisecond) {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
		if err != nil {
			t.Fatal(err)
		}
		still := len(threads) > 0
		for _, thread := range threads {
			stat, err := os.ReadFile(thread)
			if err != nil {
				continue // it has ended
			}
			_, state, _ := strings.Cut(string(stat), ") ")
			still = still && strings.HasPrefix(state, "T")
		}
		if still {
			return
		}
	}
	t.Fatal("the service does not stand still")
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	src, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	dst, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(dst, src); err != nil {
		t.Fatal(err)
	}
	if err := dst.Close(); err != nil {
		t.Fatal(err)
	}
}
