package main_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tweetstream-go/tweetstream"
)

// found returns the ids of the Posts that /posts finds.
func (d *demo) found(query string) []string {
	d.t.Helper()
	resp, body := d.do(request{method: "GET", path: "/posts?" + query})
	var answer struct{ Posts []string }
	if err := json.Unmarshal([]byte(body), &answer); err != nil || resp.StatusCode != 200 {
		d.t.Fatalf("/posts?%s: status %d, %v: %.200s", query, resp.StatusCode, err, body)
	}
	ids := []string{}
	for _, raw := range answer.Posts {
		tweet, err := tweetstream.ParseTweet([]byte(raw))
		if err != nil {
			d.t.Fatal(err)
		}
		ids = append(ids, tweet.ID)
	}
	return ids
}

// What came is found by each condition, also after the next start, byte for byte.
func TestHistory(t *testing.T) {
	data := filepath.Join(t.TempDir(), "new", "data")
	d := serve(t, "--receive", "--data", data)
	messages := []string{
		`{"data":{"id":"11","text":"Green TEA, and <b>cake</b>","lang":"en","author_id":"7"},"includes":{"users":[{"id":"7","name":"Ada Example","username":"ada"}]},"matching_rules":[{"id":"1","tag":"tea"}]}`,
		`{"data":{"id":"12","text":"Grüner Tee","lang":"de","possibly_sensitive":true,"author_id":"8"},"matching_rules":[{"id":"1","tag":"tea"},{"id":"2","tag":"de"}]}`,
		`{"data":{"id":"13","text":"a picture","lang":"en","attachments":{"media_keys":["3_1"]}},"includes":{"media":[{"media_key":"3_1","type":"photo"}]},"matching_rules":[{"id":"2","tag":"de"}]}`,
	}
	for _, m := range messages {
		if status := d.post(m); status != 204 {
			t.Fatalf("status %d", status)
		}
	}
	d.eventually("all are stored", func() bool { return len(d.found("")) == 3 })
	for range 2 {
		for query, want := range map[string]string{
			"":                        "13 12 11",
			"limit=2":                 "13 12",
			"before=13&limit=1":       "12",
			"tag=tea":                 "12 11",
			"tag=none":                "",
			"lang=en":                 "13 11",
			"lang=en&lang=DE":         "13 12 11",
			"sensitive=false":         "13 11",
			"media=true":              "13",
			"word=tee&word=cake":      "12 11",
			"q=green+tea":             "11",
			"q=te":                    "12 11",
			"q=tea+tee":               "",
			"q=GR%C3%9CNER":           "12",
			"q=ada":                   "11",
			"q=ea":                    "", // words by their beginning
			"q=%25":                   "400",
			"tag=tea&lang=de&q=t":     "12",
			"q=%27)+OR+1=1":           "", // it is data
			"tag=%27+OR+%271%27=%271": "",
		} {
			if want == "400" {
				if resp, _ := d.do(request{method: "GET", path: "/posts?" + query}); resp.StatusCode != 400 {
					t.Errorf("/posts?%s: status %d, want 400", query, resp.StatusCode)
				}
				continue
			}
			if got := strings.Join(d.found(query), " "); got != want {
				t.Errorf("/posts?%s finds %q, want %q", query, got, want)
			}
		}
		_, ids := d.do(request{method: "GET", path: "/export/ids?tag=tea"})
		if want := "{\"id\":\"12\"}\n{\"id\":\"11\"}\n"; ids != want {
			t.Errorf("/export/ids is %q, want %q", ids, want)
		}
		reversed := slices.Clone(messages)
		slices.Reverse(reversed)
		resp, whole := d.do(request{method: "GET", path: "/export/posts"})
		if diff := cmp.Diff(strings.Join(reversed, "\n")+"\n", whole); diff != "" || !strings.Contains(resp.Header.Get("Content-Disposition"), "posts.ndjson") {
			t.Errorf("/export/posts (-want +got):\n%s", diff)
		}
		d.eventually("they are counted, once", func() bool {
			var figures struct {
				Tags []struct {
					Tag   string
					Posts int
				}
			}
			d.ask("GET", "/insights", "", &figures)
			return fmt.Sprint(figures.Tags) == "[{de 2} {tea 2}]"
		})
		d.stop(os.Interrupt)
		if strings.Contains(d.stderr.String(), "removed") || !strings.Contains(d.stderr.String(), data) {
			t.Errorf("it does not say where Posts are kept:\n%s", d.stderr.String())
		}
		d = serve(t, "--receive", "--data", data)
	}
	files, err := os.ReadDir(data)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if st, err := f.Info(); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s can be read by others: %v, %v", f.Name(), st.Mode(), err)
		}
	}
}

// What is gone from X vanishes from who looks on and from the history, and does not
// come back.
func TestDeleted(t *testing.T) {
	d := serve(t, "--receive")
	v := d.view("/ws")
	for _, id := range []string{"1", "2"} {
		d.post(fmt.Sprintf(`{"data":{"id":%q,"text":"x"}}`, id))
		v.next()
	}
	d.eventually("both are stored", func() bool { return len(d.found("")) == 2 })
	resp, _ := d.do(request{"POST", "/deleted", `{"ids":["1"]}`, map[string]string{"Content-Type": jsonType}})
	if got := v.next(); resp.StatusCode != 204 || got != `{"deleted":["1"]}` {
		t.Errorf("status %d, and viewers get %q", resp.StatusCode, got)
	}
	if got := d.found(""); !slices.Equal(got, []string{"2"}) {
		t.Errorf("the history has %v", got)
	}
	if got := d.view("/ws").next(); !strings.Contains(got, `"2"`) {
		t.Errorf("who comes later gets %q", got)
	}
}

// An export ends where X's policy for whole Posts does, and for ids at what a file
// may hold: the newest are in it.
func TestExportLimits(t *testing.T) {
	if raceEnabled {
		t.Skip("50,000 Posts take long with the race detector: it runs without")
	}
	const most = 50_000
	d := serve(t, "--receive")
	for from := 1; from <= most+500; from += 500 {
		var batch strings.Builder
		for id := from; id < from+500; id++ {
			fmt.Fprintf(&batch, `{"data":{"id":"%d"}}`+"\n", id)
		}
		if resp, body := d.do(request{"POST", "/tweets", batch.String(), map[string]string{"Content-Type": "application/x-ndjson"}}); resp.StatusCode != 204 {
			t.Fatalf("status %d: %s", resp.StatusCode, body)
		}
	}
	newest := fmt.Sprint(most + 500)
	d.eventually("all are stored", func() bool { ids := d.found("limit=1"); return len(ids) == 1 && ids[0] == newest })
	for what, want := range map[string]int{"ids": most, "posts": 500} {
		resp, body := d.do(request{method: "GET", path: "/export/" + what})
		if lines := strings.Count(body, "\n"); resp.StatusCode != 200 || lines != want || !strings.Contains(body, `"`+newest+`"`) {
			t.Errorf("%s: status %d, %d lines, want %d with the newest", what, resp.StatusCode, lines, want)
		}
	}
}

// The oldest Posts are taken away, and of a data folder that was not asked for
// nothing is left.
func TestKeep(t *testing.T) {
	d := serve(t, "--rate", "200", "--keep", "50")
	d.eventually("more have come than are kept", func() bool { return d.stats().Services[0].Received > 300 })
	folder := strings.TrimSuffix(strings.Fields(d.stderr.String()[strings.Index(d.stderr.String(), "are kept in"):])[3], ",")
	if st, err := os.Stat(folder); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("folder %q: %v, %v", folder, st, err)
	}
	var newest string
	d.eventually("the oldest are gone", func() bool {
		ids := d.found("limit=200")
		if len(ids) > 0 {
			newest = ids[0]
		}
		return len(d.found("limit=200&before="+newest)) >= 49 && d.stats().Services[0].Received > 1500 && len(ids) < 200
	})
	d.stop(os.Interrupt)
	if _, err := os.Stat(folder); !os.IsNotExist(err) {
		t.Errorf("folder %q is left: %v", folder, err)
	}
}
