package dedupe_test

import (
	"strconv"
	"testing"

	"github.com/tweetstream-go/tweetstream/internal/dedupe"
)

func TestWindow(t *testing.T) {
	const n = 1000
	w := dedupe.New(n)
	id := func(i int) string { return strconv.Itoa(1<<40 + i) }
	for i := range 10 * n {
		if w.Has(id(i), false) {
			t.Fatalf("Has(%s) = true before it came", id(i))
		}
		if !w.Add(id(i), false) {
			t.Fatalf("Add(%s) = false when it came first", id(i))
		}
		if w.Add(id(i), false) || w.Add(id(max(0, i-n/2)), false) {
			t.Fatalf("Add() = true for what is remembered")
		}
		for _, back := range []int{0, 1, n / 2, n - 1} {
			if i >= back && !w.Has(id(i-back), false) {
				t.Fatalf("after %d ids the one %d back is forgotten, want at least %d remembered", i, back, n)
			}
		}
		if back := 2 * n; i >= back && w.Has(id(i-back), false) {
			t.Fatalf("after %d ids the one %d back is remembered, want at most %d", i, back, 2*n)
		}
	}
}

func TestWindowTellsIDsApart(t *testing.T) {
	ids := []string{"1", "01", "", "x1", "9223372036854775807", "9223372036854775808", "18446744073709551615", "-1", "+1"}
	for i, id := range ids {
		for _, tombstone := range []bool{false, true} {
			w := dedupe.New(10)
			w.Add(id, tombstone)
			for j, other := range ids {
				for _, otherTombstone := range []bool{false, true} {
					want := i == j && tombstone == otherTombstone
					if got := w.Has(other, otherTombstone); got != want {
						t.Errorf("after Add(%q, %v): Has(%q, %v) = %v", id, tombstone, other, otherTombstone, got)
					}
				}
			}
		}
	}
}

func TestWindowOfNone(t *testing.T) {
	w := dedupe.New(0)
	w.Add("1", false)
	if w.Has("1", false) {
		t.Error("a window of 0 ids remembers one")
	}
}

func TestWindowForgets(t *testing.T) {
	w := dedupe.New(2)
	for _, id := range []string{"1", "x", "2", "y"} { // the first two are in the older set by now
		w.Add(id, false)
	}
	for _, id := range []string{"1", "x", "2", "y"} {
		w.Forget(id, true)
		if !w.Has(id, false) {
			t.Errorf("Forget(%q) of a tombstone has forgotten the Post", id)
		}
		if w.Forget(id, false); w.Has(id, false) {
			t.Errorf("after Forget(%q) it is remembered", id)
		}
	}
}
