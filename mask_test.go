package tweetstream_test

import (
	"math"
	"math/rand"
	"strconv"
	"strings"
	"testing"

	"github.com/tweetstream-go/tweetstream"
)

// However a message says that it is sensitive, and wherever its text stands, none
// of it passes.
func TestMaskLeavesNoText(t *testing.T) {
	for name, message := range map[string]string{
		"both spellings": `{"data":{"id":"1","text":"RT SECRET","referenced_tweets":[{"type":"retweeted","id":"2"}]},
			"includes":{"tweets":[{"id":"9","text":"x"}],"posts":[{"id":"2","text":"SECRET","possibly_sensitive":true}]}}`,
		"both reference spellings": `{"data":{"id":"1","text":"RT SECRET","referenced_tweets":[{"type":"replied_to","id":"3"}],"referenced_posts":[{"type":"quoted","id":"2"}]},
			"includes":{"tweets":[{"id":"2","text":"SECRET","possibly_sensitive":true}]}}`,
		"a Post twice": `{"data":{"id":"1","text":"RT SECRET","referenced_tweets":[{"type":"retweeted","id":"2"}]},
			"includes":{"tweets":[{"id":"2","text":"x"},{"id":"2","text":"SECRET","possibly_sensitive":true}]}}`,
		"a Post of a Post": `{"data":{"id":"1","text":"RT x","referenced_tweets":[{"type":"retweeted","id":"2"}]},
			"includes":{"tweets":[{"id":"2","text":"x","referenced_tweets":[{"type":"quoted","id":"3"}]},{"id":"3","text":"SECRET","possibly_sensitive":true}]}}`,
		"data twice":    `{"data":{"id":"1","text":"SECRET","possibly_sensitive":true},"data":{"id":"1","text":"x"}}`,
		"mark twice":    `{"data":{"id":"1","text":"SECRET","possibly_sensitive":true,"possibly_sensitive":false}}`,
		"a number":      `{"data":{"id":"1","text":"SECRET","possibly_sensitive":1}}`,
		"a name inside": `{"data":{"id":"1","text":"SECRET","possibly_sensitive":true,"referenced_tweets":[{"type":"quoted","id":"2","text":"SECRET"}]}}`,
		"withheld":      `{"data":{"id":"1","text":"SECRET","possibly_sensitive":true,"withheld":{"note":"SECRET"}}}`,
		"rest": `{"data":{"id":"1","text":"SECRET","note_tweet":{"text":"SECRET"},"note_post":{"text":"SECRET"},"Text":"SECRET","card":{"t":"SECRET"},"entities":{"urls":[{"title":"SECRET"}]},"text":"SECRET","possibly_sensitive":true},
			"includes":{"media":[{"alt_text":"SECRET"}],"polls":[{"options":[{"label":"SECRET"}]}],"Tweets":[{"text":"SECRET"}],"posts":[{"id":"4","text":"SECRET"}],"tweets":[{"id":"5","text":"SECRET"}]},"Data":{"text":"SECRET"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			message = strings.NewReplacer("\n", "", "\t", "").Replace(message)
			tw := &tweetstream.Tweet{ID: "1", Raw: []byte(message)}
			masked, err := tweetstream.MaskSensitive(t.Context(), tw)
			if err == nil && strings.Contains(string(masked.Raw), "SECRET") {
				t.Errorf("left:\n%s", masked.Raw)
			}
		})
	}
}

// With ids as X makes them, a millisecond, a machine and a number, the parts are
// even, and those of one rate are in those of a higher one.
func TestSampleOfSnowflakes(t *testing.T) {
	rnd := rand.New(rand.NewSource(1))
	for _, rate := range []float64{0.01, 0.1, 0.5} {
		sample, more := tweetstream.Sample(rate), tweetstream.Sample(rate*1.5)
		for _, machines := range []int64{1, 4, 1024} {
			const n = 100_000
			kept := 0
			ms := int64(500_000_000_000)
			for i := range n {
				if i%3 == 0 {
					ms += rnd.Int63n(5)
				}
				id := ms<<22 | rnd.Int63n(machines)<<12 | int64(i%3)
				tw := &tweetstream.Tweet{ID: strconv.FormatInt(id, 10)}
				got, _ := sample(t.Context(), tw)
				if got == nil {
					continue
				}
				kept++
				if in, _ := more(t.Context(), tw); in == nil {
					t.Fatal("not in the larger part")
				}
			}
			if sigma := math.Sqrt(n * rate * (1 - rate)); math.Abs(float64(kept)-n*rate) > 4*sigma {
				t.Errorf("rate %v, %d machines: kept %d of %d", rate, machines, kept, n)
			}
		}
	}
}
