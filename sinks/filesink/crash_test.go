package filesink_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/tweetstream-go/tweetstream/sinks/filesink"
)

// TestMain also serves as the programs that tests limit or kill.
func TestMain(m *testing.M) {
	if f := children[os.Getenv("FILESINK_CHILD")]; f != nil {
		if err := f(os.Getenv("FILESINK_ARG")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

var children = map[string]func(arg string) error{"writes": childWrites}

func child(t *testing.T, name, arg string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "FILESINK_CHILD="+name, "FILESINK_ARG="+arg)
	cmd.Stderr = os.Stderr
	return cmd
}

// A last line that a crash has cut at any byte is mended.
func TestTornAtEveryByte(t *testing.T) {
	dir := t.TempDir()
	before, last := lines(posts(1, 2)...), lines(post(3, 40))
	for _, before := range []string{"", before} {
		for n := range len(last) + 1 {
			path := filepath.Join(dir, fmt.Sprintf("%d-%d.ndjson", len(before), n))
			write(t, path, before+last[:n])
			s := open(t, path)
			mended := before
			if n >= len(last)-1 { // only its line break is missing
				mended += last
			}
			wantFile(t, path, mended)
			deliver(t, s, posts(1, 4)...)
			deliver(t, s, posts(1, 4)...)
			if before == "" && n >= len(last)-1 {
				wantFile(t, path, last+lines(posts(1, 2)...)+lines(post(4, 40)))
			} else {
				wantFile(t, path, lines(posts(1, 4)...))
			}
			closeSink(t, s)
		}
	}
}

// A torn line may be long, and its end may have been brought down by whole pages.
func TestTornLongLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "posts.ndjson")
	second := post(2, 5<<20)
	long := lines(second)
	for _, torn := range []string{long[:len(long)-2], long[:1<<20], strings.Repeat("\x00", 1<<20)} {
		write(t, path, lines(post(1, 40))+torn)
		s := open(t, path)
		wantFile(t, path, lines(post(1, 40)))
		deliver(t, s, post(1, 40), second)
		wantFile(t, path, lines(post(1, 40))+long)
		closeSink(t, s)
	}
}

// After a loss of power, lines that were not synced may have zeros in them: they
// are written again.
func TestHole(t *testing.T) {
	dir := t.TempDir()
	before, batch := lines(posts(1, 10)...), lines(posts(11, 20)...)
	for name, hole := range map[string][2]int{
		"across lines":  {len(batch) / 3, len(batch) / 2},
		"within a text": {45, 46},
		"to the end":    {len(batch) / 3, len(batch)},
		"all":           {0, len(batch)},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, name)
			torn := []byte(batch)
			clear(torn[hole[0]:hole[1]])
			write(t, path, before+string(torn))
			s := open(t, path)
			deliver(t, s, posts(1, 20)...)
			got, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var whole strings.Builder
			for l := range strings.Lines(string(got)) {
				if !strings.Contains(l, "\x00") {
					whole.WriteString(l)
				}
			}
			wantOnce(t, whole.String(), 20)
		})
	}
}

// Whatever is in a file, its whole lines stay, and it goes on in whole lines.
func FuzzOpen(f *testing.F) {
	f.Add(lines(posts(1, 2)...) + `{"data":`)
	f.Add("\n\r\n{}")
	f.Add("{}\x00{\x00")
	f.Fuzz(func(t *testing.T, before string) {
		path := filepath.Join(t.TempDir(), "posts.ndjson")
		write(t, path, before)
		s, err := filesink.Open(path)
		if err != nil {
			wantFile(t, path, before)
			return
		}
		defer s.Close()
		want := before[:strings.LastIndexByte(before, '\n')+1]
		if last := before[len(want):]; json.Valid([]byte(last)) {
			want = before + "\n"
		}
		wantFile(t, path, want)
		news := post(1<<60, 40)
		deliver(t, s, news)
		wantFile(t, path, want+lines(news))
	})
}

// A process that is killed while it writes, again and again, and whose tweets
// come again after each start, leaves each Post once, in order, in whole lines.
func TestKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "posts.ndjson")
	const kills = 20
	acked := 0
	for range kills {
		again := max(acked-rand.IntN(500), 0)
		cmd := child(t, "writes", fmt.Sprintf("%d %s", again+1, path))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		told := bufio.NewScanner(out)
		for range 1 + rand.IntN(12) { // batches
			if !told.Scan() {
				t.Fatal("the child has ended by itself")
			}
			if acked, err = strconv.Atoi(told.Text()); err != nil {
				t.Fatal(err)
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for told.Scan() { // what it had said before it died
			if n, err := strconv.Atoi(told.Text()); err == nil {
				acked = n
			}
		}
		_ = cmd.Wait() // killed
	}
	s := open(t, path)
	deliver(t, s, posts(max(acked-2_000, 1), acked+1_000)...)
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	wantOnce(t, string(got), acked+1_000)
	next := 1
	for l := range strings.Lines(string(got)) {
		if id := fmt.Sprintf(`{"data":{"id":"%d"`, next); !strings.HasPrefix(l, id) {
			t.Fatalf("line %d is %.30q, want %s", next, l, id)
		}
		next++
	}
	t.Logf("%d kills, %d Posts acknowledged", kills, acked)
}

// childWrites writes Posts from an id on until it is killed, and prints the last
// id of each batch that was delivered.
func childWrites(arg string) error {
	from, path, _ := strings.Cut(arg, " ")
	id, err := strconv.Atoi(from)
	if err != nil {
		return err
	}
	s, err := filesink.Open(path)
	if err != nil {
		return err
	}
	for {
		batch := posts(id, id+rand.IntN(200))
		if rand.IntN(4) == 0 {
			batch[len(batch)-1] = post(id+len(batch)-1, 200_000)
		}
		if err := s.Deliver(context.Background(), batch); err != nil {
			return err
		}
		id += len(batch)
		fmt.Println(id - 1)
	}
}
