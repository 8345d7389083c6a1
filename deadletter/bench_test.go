package deadletter_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/tweetstream-go/tweetstream"
)

// Each operation is one letter with a Post of 2.4 kB.
func BenchmarkKeep(b *testing.B) {
	for _, size := range []int{1, 100} {
		b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) {
			f := open(b, filepath.Join(b.TempDir(), "dead.ndjson"))
			batch := make([]tweetstream.Letter, size)
			for i := range batch {
				batch[i] = letter(i, 2_300)
			}
			b.ReportAllocs()
			for left := b.N; left > 0; left -= size {
				keep(b, f, batch[:min(size, left)]...)
			}
		})
	}
}
