package deadletter_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tweetstream-go/tweetstream/deadletter"
	"github.com/tweetstream-go/tweetstream/internal/logfile"
)

// Whatever is kept, all files together stay within MaxBytes, in an unbroken row up
// to the newest letter; what was dropped is named and counted.
func TestMaxBytes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dead.ndjson")
	var log logged
	f := open(t, path, deadletter.MaxBytes(1<<20), deadletter.Logger(log.logger()))
	const calls, each = 60, 10
	for i := range calls {
		for j := range each {
			keep(t, f, letter(i*each+j, 3_000))
		}
		var size int64
		for _, p := range append(segments(t, path), path) {
			info, err := os.Stat(p)
			if err != nil {
				t.Fatal(err)
			}
			size += info.Size()
		}
		if size > 1<<20 || size != f.Stats().Bytes {
			t.Fatalf("after %d letters the files have %d bytes, Stats say %d; want 1 MiB at most", (i+1)*each, size, f.Stats().Bytes)
		}
	}
	var kept []string
	for _, p := range append(segments(t, path), path) {
		kept = append(kept, ids(parse(t, p))...)
	}
	st := f.Stats()
	if int(st.Dropped)+len(kept) != calls*each || len(kept) < 250 {
		t.Errorf("%d kept and %d dropped of %d", len(kept), st.Dropped, calls*each)
	}
	for i, id := range kept {
		if want := fmt.Sprint(calls*each - len(kept) + i); id != want {
			t.Fatalf("letter %d is %s, want %s", i, id, want)
		}
	}
	var named, next int
	for _, m := range regexp.MustCompile(`level=ERROR msg="letters dropped".* count=(\d+) first=(\d+) last=(\d+) `).FindAllStringSubmatch(log.String(), -1) {
		var count, first, last int
		fmt.Sscan(m[1]+" "+m[2]+" "+m[3], &count, &first, &last)
		if first != next || last != first+count-1 {
			t.Errorf("the log says that %d from %d to %d were dropped, want from %d on", count, first, last, next)
		}
		named, next = named+count, last+1
	}
	if named != int(st.Dropped) {
		t.Errorf("the log names %d letters, %d were dropped:\n%s", named, st.Dropped, log.String())
	}
	if n := strings.Count(log.String(), "80 % full"); n != 1 {
		t.Errorf("%d warnings at 80 %%, want 1", n)
	}
	if strings.Contains(log.String(), "xxx") {
		t.Error("a Post's text stands in the log")
	}
}

// What one call brings is kept, however large.
func TestCallLargerThanMaxBytes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dead.ndjson")
	f := open(t, path, deadletter.MaxBytes(1<<20))
	keep(t, f, letters(1, 10)...)
	keep(t, f, letter(11, 2<<20), letter(12, 2<<20))
	wantIDs(t, path, 11, 12)
	if st := f.Stats(); st.Dropped != 10 {
		t.Errorf("%d dropped, want the 10 before", st.Dropped)
	}
}

// segment makes a segment of the file at path, with a letter and of an age.
func segment(t *testing.T, path string, id int, age time.Duration) string {
	t.Helper()
	name := logfile.SegmentName(path, time.Now().Add(-age))
	f := open(t, name)
	keep(t, f, letter(id, 1))
	f.Close()
	return name
}

const day = 24 * time.Hour

func TestMaxAge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dead.ndjson")
	segment(t, path, 1, 32*day)
	segment(t, path, 2, 31*day)
	young := segment(t, path, 3, 29*day)
	for _, other := range []string{"dead-x.ndjson", "dead-20200101T000000.000Z.ndjson.gz", "dead-20200101T000000Z.ndjson", "alive-20200101T000000.000Z.ndjson"} {
		if err := os.WriteFile(filepath.Join(filepath.Dir(path), other), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var log logged
	f := open(t, path, deadletter.Logger(log.logger()))
	if got := segments(t, path); len(got) != 1 || got[0] != young {
		t.Errorf("segments %v, want %s", got, young)
	}
	if st := f.Stats(); st.Dropped != 2 || strings.Count(log.String(), `msg="letters dropped" reason="too old" count=1`) != 2 {
		t.Errorf("%d dropped, want 2; log:\n%s", st.Dropped, log.String())
	}
	if all, _ := os.ReadDir(filepath.Dir(path)); len(all) != 6 {
		t.Errorf("%d files are left, want 6: other files stay", len(all))
	}
}

// A file whose letters are all too old goes too, when letters are kept or it is
// opened; one that is merely old is rotated.
func TestAgeOfTheFileItself(t *testing.T) {
	for age, dropped := range map[time.Duration]uint64{31 * day: 2, 5 * day: 0} {
		path := filepath.Join(t.TempDir(), "dead.ndjson")
		f := open(t, path)
		keep(t, f, letters(1, 2)...)
		f.Close()
		then := time.Now().Add(-age)
		if err := os.Chtimes(path, then, then); err != nil {
			t.Fatal(err)
		}
		f = open(t, path)
		if n := f.Stats().Dropped; n != dropped {
			t.Errorf("at an age of %v %d are dropped, want %d", age, n, dropped)
		}
		keep(t, f, letters(3, 3)...)
		wantIDs(t, path, 3, 3)
		if got := segments(t, path); dropped == 0 && (len(got) != 1 || got[0] != logfile.SegmentName(path, then)) {
			t.Errorf("segments %v, want one with the time of its last letter", got)
		}
	}
}

// A clock that goes back does not mix up the order.
func TestClockGoesBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dead.ndjson")
	segment(t, path, 0, -100*day)
	f := open(t, path, deadletter.MaxBytes(1<<20))
	for id := 1; id <= 5; id++ {
		keep(t, f, letter(id, 60_000))
	}
	var got []string
	for _, p := range append(segments(t, path), path) {
		got = append(got, ids(parse(t, p))...)
	}
	if fmt.Sprint(got) != "[0 1 2 3 4 5]" {
		t.Errorf("letters in the order %v", got)
	}
}

// Segments that others have moved or deleted don't count any more.
func TestSegmentsAreTakenAway(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dead.ndjson")
	var log logged
	f := open(t, path, deadletter.MaxBytes(1<<20), deadletter.Logger(log.logger()))
	for id := range 100 {
		keep(t, f, letter(id, 30_000))
		for _, p := range segments(t, path) {
			if err := os.Remove(p); err != nil {
				t.Fatal(err)
			}
		}
	}
	if st := f.Stats(); st.Dropped > 0 || strings.Contains(log.String(), "dropped") {
		t.Errorf("%d dropped, want none; log:\n%s", st.Dropped, log.String())
	}
}

// Where a segment can't be made, the file grows on, and it is said once.
func TestRotationFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dead.ndjson")
	f := open(t, path)
	keep(t, f, letters(1, 1)...)
	f.Close()
	then := time.Now().Add(-5 * day) // old enough to be rotated
	if err := os.Chtimes(path, then, then); err != nil {
		t.Fatal(err)
	}
	inTheWay := logfile.SegmentName(path, then)
	if err := os.Mkdir(inTheWay, 0o700); err != nil {
		t.Fatal(err)
	}
	var log logged
	f = open(t, path, deadletter.Logger(log.logger()))
	wantIDs(t, path, 1, 1)
	if n := strings.Count(log.String(), "can't be rotated"); n != 1 {
		t.Errorf("said %d times, want 1; log:\n%s", n, log.String())
	}
	keep(t, f, letters(2, 2)...)
	var got []string
	for _, p := range append(segments(t, path), path) {
		got = append(got, ids(parse(t, p))...)
	}
	if fmt.Sprint(got) != "[1 2]" {
		t.Errorf("letters %v", got)
	}
}

// A segment that can't be read, and so not be named, is not deleted: that is said,
// and letters are kept. Root reads whatever its mode is, but no folder: one takes the
// place of the second segment while the first is being dropped.
func TestSegmentThatCantBeRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dead.ndjson")
	segment(t, path, 1, 41*day)
	old := segment(t, path, 2, 40*day)
	log := logged{said: func(record string) {
		if !strings.Contains(record, "letters dropped") {
			return
		}
		if err := errors.Join(os.Remove(old), os.Mkdir(old, 0o700)); err != nil {
			t.Error(err)
		}
	}}
	f := open(t, path, deadletter.Logger(log.logger()))
	keep(t, f, letters(3, 4)...)
	if strings.Count(log.String(), "letters dropped") != 1 || strings.Count(log.String(), "can't be deleted") != 1 {
		t.Errorf("log:\n%s", log.String())
	}
	if info, err := os.Stat(old); err != nil || !info.IsDir() {
		t.Errorf("what nobody could name is gone: %v, %v", info, err)
	}
	if st := f.Stats(); st.Dropped != 1 {
		t.Errorf("%d letters dropped, want the one that was named", st.Dropped)
	}
	wantIDs(t, path, 3, 4)
}
