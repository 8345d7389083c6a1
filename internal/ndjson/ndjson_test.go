package ndjson_test

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/tweetstream-go/tweetstream/internal/ndjson"
)

func readAll(t testing.TB, src io.Reader, limit int) (lines []string, r *ndjson.Reader) {
	t.Helper()
	lines, _, r = readNumbered(t, src, limit)
	return lines, r
}

// readNumbered returns the numbers of the lines too, of which those that are too
// long are negative.
func readNumbered(t testing.TB, src io.Reader, limit int) (lines []string, numbers []int, r *ndjson.Reader) {
	t.Helper()
	r = ndjson.NewReader(src, limit)
	r.TooLong = func(number, _ int) { numbers = append(numbers, -number) }
	var kept [][]byte
	for {
		got, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		for i := range got {
			numbers = append(numbers, r.Number(i))
		}
		kept = append(kept, got...)
	}
	for _, line := range kept { // at the end: nobody may have written over them
		lines = append(lines, string(line))
	}
	return lines, numbers, r
}

// want is what a plain split gives.
func want(data string, limit int) (lines []string, oversized int, rest string) {
	parts := strings.Split(data, "\n")
	for _, line := range parts[:len(parts)-1] {
		line = strings.TrimSuffix(line, "\r")
		switch {
		case len(line) > limit:
			oversized++
		case line != "":
			lines = append(lines, line)
		}
	}
	rest = strings.TrimSuffix(parts[len(parts)-1], "\r")
	if len(rest) > limit {
		rest = ""
		oversized++
	}
	return lines, oversized, rest
}

// wantNumbers are those of the lines of a plain split.
func wantNumbers(data string, limit int) (numbers []int) {
	parts := strings.Split(data, "\n")
	for i, line := range parts {
		line = strings.TrimSuffix(line, "\r")
		switch {
		case len(line) > limit:
			numbers = append(numbers, -i-1)
		case line != "" && i < len(parts)-1:
			numbers = append(numbers, i+1)
		}
	}
	return numbers
}

func check(t testing.TB, name, data string, src io.Reader, limit int) {
	t.Helper()
	lines, oversized, rest := want(data, limit)
	got, numbers, r := readNumbered(t, src, limit)
	// Those that are too long are told of before those that came along with them.
	byNumber := func(a, b int) int { return max(a, -a) - max(b, -b) }
	slices.SortFunc(numbers, byNumber)
	if diff := cmp.Diff(wantNumbers(data, limit), numbers); diff != "" {
		t.Errorf("%s: numbers (-want +got):\n%s", name, diff)
	}
	if n := strings.Count(data, "\n"); r.Ended() != n {
		t.Errorf("%s: %d lines ended, want %d", name, r.Ended(), n)
	}
	if diff := cmp.Diff(lines, got); diff != "" {
		t.Errorf("%s: lines (-want +got):\n%s", name, diff)
	}
	if r.Oversized != oversized {
		t.Errorf("%s: %d oversized, want %d", name, r.Oversized, oversized)
	}
	if string(r.Rest()) != rest {
		t.Errorf("%s: rest %.20q, want %.20q", name, r.Rest(), rest)
	}
}

func TestLines(t *testing.T) {
	long := strings.Repeat("x", 200_000)
	for name, data := range map[string]string{
		"none":                "",
		"keep-alives":         "\r\n\r\n\n",
		"both breaks":         "one\r\ntwo\nthree\r\n",
		"not ended":           "one\ntwo",
		"not ended, \\r":      "one\ntwo\r",
		"\\r inside":          "o\rne\ntwo\n",
		"long":                "one\n" + long + "\r\ntwo\n",
		"too long":            "one\n" + long + long + "\r\ntwo\n",
		"too long, not ended": "one\n" + long + long,
		"too long twice":      long + long + "\n" + long + long + "\none\n",
		"as long as can be":   long + long[:50_000] + "\r\n" + long + long[:50_001] + "\r\n",
	} {
		for how, src := range map[string]func() io.Reader{
			"at once":      func() io.Reader { return strings.NewReader(data) },
			"by the byte":  func() io.Reader { return iotest.OneByteReader(strings.NewReader(data)) },
			"by halves":    func() io.Reader { return iotest.HalfReader(strings.NewReader(data)) },
			"error + data": func() io.Reader { return iotest.DataErrReader(strings.NewReader(data)) },
		} {
			check(t, name+", "+how, data, src(), 250_000)
		}
	}
}

// Every way of cutting a stream in two gives the same lines.
func TestEveryCut(t *testing.T) {
	data := "one\r\n\r\ntwo is longer\n\nthr\"ee\r\nfour"
	for i := range len(data) {
		for j := i; j <= len(data); j++ {
			check(t, "cut", data, io.MultiReader(strings.NewReader(data[:i]), strings.NewReader(data[i:j]), strings.NewReader(data[j:])), 5)
		}
	}
}

func TestLongLinesHoldNoMemory(t *testing.T) {
	const line = 12 << 20
	src := io.MultiReader(bytes.NewReader(make([]byte, line)), strings.NewReader("\none\n"))
	lines, r := readAll(t, src, 4<<20)
	if diff := cmp.Diff([]string{"one"}, lines); diff != "" || r.Oversized != 1 || r.Longest != line {
		t.Errorf("%d oversized of %d bytes; -want +got:\n%s", r.Oversized, r.Longest, diff)
	}
}

type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

func TestIdleSourceEnds(t *testing.T) {
	r := ndjson.NewReader(idle{}, 10)
	for range 1000 {
		if _, err := r.Next(); err != nil {
			return
		}
	}
	t.Error("a source that gives nothing is read for ever")
}

func FuzzReader(f *testing.F) {
	f.Add("one\r\ntwo\n", 3, 5)
	f.Fuzz(func(t *testing.T, data string, cut, limit int) {
		if cut <= 0 || limit <= 0 || limit > 1000 {
			t.Skip("out of range")
		}
		check(t, "fuzz", data, &pieces{data, cut}, limit)
	})
}

// pieces gives its data in pieces of n bytes.
type pieces struct {
	data string
	n    int
}

func (p *pieces) Read(b []byte) (int, error) {
	if p.data == "" {
		return 0, io.EOF
	}
	n := copy(b, p.data[:min(p.n, len(p.data))])
	p.data = p.data[n:]
	return n, nil
}

// Reads grow while they are filled, and shrink when there is little to be read.
func TestReadsGrow(t *testing.T) {
	src := &measured{of: 1 << 20}
	r := ndjson.NewReader(src, 100)
	for range 10 {
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
	}
	if got := src.asked[0]; got != 64<<10 {
		t.Errorf("the first read is of %d bytes, want 64 KiB", got)
	}
	if got := src.asked[9]; got > 256<<10 || got < 200<<10 {
		t.Errorf("filled reads grow to %d bytes, want about 256 KiB", got)
	}
	src.of = 10
	for range 10 {
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
	}
	if got := src.asked[19]; got > 64<<10 {
		t.Errorf("after short reads they are of %d bytes, want 64 KiB", got)
	}
}

// measured gives up to so many bytes a read, in short lines, and notes how many it
// was asked for.
type measured struct {
	of    int
	asked []int
}

func (m *measured) Read(p []byte) (int, error) {
	m.asked = append(m.asked, len(p))
	n := min(m.of, len(p))
	copy(p[:n], bytes.Repeat([]byte("line\n"), n/5+1))
	return n, nil
}
