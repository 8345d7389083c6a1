package main_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tweetstream-go/tweetstream"
)

// What the simulator makes up is about --topic, and chosen by --seed.
func TestSimulatePosts(t *testing.T) {
	posts := func(args ...string) (texts []string) {
		sim, url := simulate(t, append(args, "--rate", "200", "--topic", "zebra")...)
		p := start(t, "--api-url", url, "--tag", "coop", "--tag", "zebra")
		p.eventually("20 Posts came", func() bool { return strings.Count(p.stdout.String(), "\n") >= 20 })
		p.stop(os.Interrupt)
		sim.stop(os.Interrupt)
		for line := range strings.Lines(p.stdout.String()) {
			tweet, err := tweetstream.ParseTweet([]byte(strings.TrimSuffix(line, "\n")))
			if err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(tweet.Rules, func(r tweetstream.Rule) bool { return r.Tag == "zebra" }) {
				t.Errorf("%v: a Post of the rules %v, want the topic in it", args, tweet.Rules)
			}
			content, err := tweet.Content()
			if err != nil {
				t.Fatal(err)
			}
			texts = append(texts, content.Text)
		}
		return texts[:20]
	}
	first, again, other := posts(), posts("--seed", "1"), posts("--seed", "2")
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("the same seed makes other Posts (-want +got):\n%s", diff)
	}
	if slices.Equal(first, other) {
		t.Error("another seed makes the same Posts")
	}
}

// A program reads in the log where the simulator is and what it did, with --remote
// on every address; at the end streams end in good order.
func TestSimulateLogsAsJSON(t *testing.T) {
	sim := start(t, "simulate", "--listen", "0.0.0.0:0", "--remote", "--log-format", "json", "--replay", write(t, t.TempDir()+"/x.ndjson", string(madeUp())))
	sim.eventually("it listens", func() bool { return strings.HasSuffix(sim.stderr.String(), "\n") })
	said := records(t, sim.stderr.String())[0]
	url, _ := said["url"].(string)
	if said["msg"] != "listening" || !strings.Contains(said["command"].(string), " --api-url "+url+" ") || !strings.HasPrefix(said["sends"].(string), "the lines of ") {
		t.Errorf("it says %v", said)
	}
	req, err := http.NewRequest(http.MethodGet, "http://127.0.0.1"+url[strings.LastIndex(url, ":"):]+streamPath, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer any")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.ReadFull(resp.Body, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	if err := sim.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Errorf("the stream ends with %v, want a good end", err)
	}
	if code := sim.wait(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	if end := lastRecord(t, sim.stderr.String()); end["msg"] != "ended" || end["connects"] != float64(1) || end["sent"] == float64(0) {
		encoded, _ := json.Marshal(end)
		t.Errorf("the last record is %s", encoded)
	}
}
