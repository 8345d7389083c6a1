package xtest_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tweetstream-go/tweetstream/xtest"
)

func TestCountsAreOfWhatSearchFinds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newServer(t)
		for _, n := range []int{3, 0, 2} { // a day each
			for range n {
				x.Post(xtest.Post{Text: "coop"})
				x.Post(xtest.Post{Text: "something else"})
			}
			time.Sleep(24 * time.Hour)
		}
		for granularity, buckets := range map[string]int{"day": 8, "hour": 7*24 + 1, "": 7*24 + 1} {
			a := call(t, x, "GET", "/2/tweets/counts/recent?query="+url.QueryEscape("coop -dogs")+"&granularity="+granularity, "")
			var found []struct {
				Start, End time.Time
				Count      int `json:"tweet_count"`
			}
			if err := json.Unmarshal(a.Data, &found); err != nil {
				t.Fatal(err)
			}
			var counts []int
			for i, b := range found {
				if b.Count > 0 {
					counts = append(counts, b.Count)
				}
				if i > 0 && !b.Start.Equal(found[i-1].End) {
					t.Errorf("%s: the step %d begins at %v, the one before ends at %v", granularity, i, b.Start, found[i-1].End)
				}
			}
			if len(counts) != 2 || counts[0] != 3 || counts[1] != 2 || len(found) < buckets-1 || len(found) > buckets {
				t.Errorf("granularity %q: %v in %d steps, want 3 and 2 in %d", granularity, counts, len(found), buckets)
			}
		}
		for _, query := range []string{"", "query=", "query=(coop", "query=coop&granularity=year", "query=coop&start_time=2020-01-01T00:00:00Z", "query=coop&max_results=10"} {
			if a := call(t, x, "GET", "/2/tweets/counts/recent?"+query, ""); a.status != http.StatusBadRequest {
				t.Errorf("counts of %q: status %d, want 400", query, a.status)
			}
		}
	})
}
