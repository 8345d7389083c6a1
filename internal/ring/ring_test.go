package ring_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tweetstream-go/tweetstream/internal/ring"
)

func size(n int) int { return n }

// all reads what is there.
func all(t *testing.T, rd *ring.Reader[int]) (got []int) {
	t.Helper()
	dst := make([]int, 3)
	now := make(chan time.Time)
	close(now)
	for {
		n, _, err := rd.Next(t.Context(), dst, now)
		if err != nil && err != io.EOF {
			t.Fatal(err)
		}
		if n == 0 {
			return got
		}
		got = append(got, dst[:n]...)
	}
}

func TestEveryReaderReadsAllInOrder(t *testing.T) {
	const items = 100_000
	r := ring.New(7, 1<<30, func(int) int { return 1 })
	var wg sync.WaitGroup
	for i, policy := range []ring.Policy{ring.Lose, ring.Behind, ring.Block} {
		rd := r.Reader(7, policy, func(int) { t.Error("lost an item below the limit") })
		wg.Go(func() {
			dst := make([]int, 1+10*i)
			want := 0
			for {
				n, pos, err := rd.Next(t.Context(), dst, nil)
				if err == io.EOF {
					break
				}
				if err != nil || pos != uint64(7+want) {
					t.Errorf("Next() at item %d: position %d, error %v", want, pos, err)
					return
				}
				for _, got := range dst[:n] {
					if got != want {
						t.Errorf("read %d, want %d", got, want)
						return
					}
					want++
				}
			}
			if want != items {
				t.Errorf("read %d items, want %d", want, items)
			}
		})
	}
	for i := 0; i < items; i += 4 {
		r.Append([]int{i, i + 1, i + 2, i + 3})
	}
	r.End()
	wg.Wait()
}

func TestFullRing(t *testing.T) {
	r := ring.New(0, 10, size)
	var lost []int
	slow := r.Reader(0, ring.Lose, func(n int) { lost = append(lost, n) })
	behind := r.Reader(0, ring.Behind, nil)
	fast := r.Reader(0, ring.Lose, func(n int) { t.Errorf("the fast reader lost %d", n) })
	for n := 1; n <= 5; n++ {
		r.Append([]int{n})
		if got := all(t, fast); !slices.Equal(got, []int{n}) {
			t.Fatalf("fast reader got %v, want %d", got, n)
		}
	}
	if want := []int{1, 2, 3}; !slices.Equal(lost, want) { // 4+5 fit into 10
		t.Errorf("lost %v, want %v", lost, want)
	}
	if n, kept, bytes, oldest := slow.Waiting(); n != 2 || kept != 2 || bytes != 9 || oldest != 4 {
		t.Errorf("Waiting() = %d, %d, %d, want 2 items of 9 bytes, the oldest 4", n, bytes, oldest)
	}
	if got, want := all(t, slow), []int{4, 5}; !slices.Equal(got, want) {
		t.Errorf("slow reader got %v, want %v", got, want)
	}
	if _, _, err := behind.Next(t.Context(), make([]int, 1), nil); !errors.Is(err, ring.ErrBehind) {
		t.Errorf("Next() = %v, want ErrBehind", err)
	}
	behind.Seek(3)
	if got, want := all(t, behind), []int{4, 5}; !slices.Equal(got, want) {
		t.Errorf("reader that was behind got %v, want %v", got, want)
	}
	if n, _, _, _ := slow.Waiting(); n != 0 {
		t.Errorf("Waiting() = %d, want 0", n)
	}
	r.Append([]int{1_000}) // larger than the ring: kept all the same
	if got, want := all(t, slow), []int{1_000}; !slices.Equal(got, want) {
		t.Errorf("slow reader got %v, want %v", got, want)
	}
}

func TestBlockingReaderHoldsTheRing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ring.New(0, 10, size)
		slow := r.Reader(0, ring.Block, nil)
		var lost []int
		r.Reader(0, ring.Lose, func(n int) { lost = append(lost, n) })
		r.Append([]int{6})
		if err := r.Room(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.Append([]int{7})

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := r.Room(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Room() of a full ring = %v, want the context's error", err)
		}
		room := make(chan error)
		go func() { room <- r.Room(t.Context()) }()
		synctest.Wait()
		if got, want := all(t, slow), []int{6, 7}; !slices.Equal(got, want) {
			t.Errorf("blocking reader got %v, want %v", got, want)
		}
		if err := <-room; err != nil {
			t.Error(err)
		}
		if lost != nil {
			t.Errorf("lost %v, though the blocking reader holds the ring", lost)
		}
	})
}

func TestNextWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ring.New(0, 10, size)
		rd := r.Reader(0, ring.Lose, func(int) {})
		dst := make([]int, 1)
		if n, _, err := rd.Next(t.Context(), dst, time.After(time.Minute)); n != 0 || err != nil {
			t.Errorf("Next() = %d, %v, want 0 when stop yields", n, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, _, err := rd.Next(ctx, dst, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Next() = %v, want the context's error", err)
		}
		time.AfterFunc(time.Hour, r.End)
		if _, _, err := rd.Next(t.Context(), dst, nil); err != io.EOF {
			t.Errorf("Next() = %v, want EOF", err)
		}
	})
}

// A ring with three readers, beside channels, in batches as one read of the
// stream brings them.
func BenchmarkRing(b *testing.B) {
	const readers, batch = 3, 27
	items := make([]*int, batch)
	b.Run("ring", func(b *testing.B) {
		b.ReportAllocs()
		r := ring.New(0, 1<<20, func(*int) int { return 1 })
		var wg sync.WaitGroup
		for range readers {
			rd := r.Reader(0, ring.Block, nil)
			wg.Go(func() {
				dst := make([]*int, 500)
				for {
					if _, _, err := rd.Next(context.Background(), dst, nil); err != nil {
						return
					}
				}
			})
		}
		b.ResetTimer()
		for n := 0; n < b.N; n += batch {
			if r.Room(context.Background()) != nil {
				b.Fatal("no room")
			}
			r.Append(items[:min(batch, b.N-n)])
		}
		r.End()
		wg.Wait()
	})
	b.Run("channels", func(b *testing.B) {
		b.ReportAllocs()
		var chans [readers]chan *int
		var wg sync.WaitGroup
		for i := range chans {
			chans[i] = make(chan *int, 1<<16)
			wg.Go(func() {
				for range chans[i] {
				}
			})
		}
		b.ResetTimer()
		for range b.N {
			for _, c := range chans {
				c <- nil
			}
		}
		for _, c := range chans {
			close(c)
		}
		wg.Wait()
	})
}

func ExampleRing() {
	r := ring.New(0, 1<<20, func(s string) int { return len(s) })
	rd := r.Reader(0, ring.Lose, func(s string) { fmt.Println("lost", s) })
	r.Append([]string{"one", "two"})
	r.End()
	dst := make([]string, 10)
	n, pos, err := rd.Next(context.Background(), dst, nil)
	fmt.Println(dst[:n], pos, err)
	// Output: [one two] 0 <nil>
}
