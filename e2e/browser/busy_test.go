package browser_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// longTasks has the page count what keeps its main thread for more than 50 ms.
const longTasks = `window.long = []; new PerformanceObserver((l) => long.push(...l.getEntries().map((e) => Math.round(e.duration)))).observe({ type: 'longtask' })`

// However many Posts come, the page stays free, says what it skips, and takes no more
// memory with time. What other programs do meanwhile counts against the page: only with
// TWEETSTREAM_ALONE, which is for how long, by default a minute, it says that nothing
// else runs, and the page has to be quick too.
func TestTenThousandPostsASecond(t *testing.T) {
	needBrowser(t)
	if os.Getenv("TWEETSTREAM_E2E") != "1" {
		t.Skip("it takes a minute: it runs with TWEETSTREAM_E2E=1")
	}
	d := time.Minute
	alone := os.Getenv("TWEETSTREAM_ALONE")
	if text := alone; text != "" {
		var err error
		if d, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	// The server, and who posts to it, are to be elsewhere: what they do must not count
	// against the page.
	s := serve(t, freeAddr(t), exec.Command("nice", "-n", "19", webdemo), "--receive", "--keep", "20000")
	profile := t.TempDir()
	b := open(t, s.url, s.url+"/", chromedp.UserDataDir(profile))
	b.until("it is live", live)
	feeder := exec.Command("nice", "-n", "19", os.Args[0])
	feeder.Env = append(os.Environ(), feedVariable+"="+s.url+"/tweets")
	feeder.Stderr = os.Stderr
	stop, err := feeder.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var fed strings.Builder
	feeder.Stdout = &fed
	if err := feeder.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stop.Close() })
	b.until("Posts are shown", posts+` > 100`)
	time.Sleep(3 * time.Second) // the first ones are all to be shown
	b.js(longTasks)
	b.js(`window.added = 0; new MutationObserver((l) => l.forEach((m) => { added += m.addedNodes.length; })).observe(document.querySelector('.column .posts'), { childList: true })`)
	begin, from := time.Now(), eval[int](b, total)
	var first, last int
	for time.Since(begin) < d {
		time.Sleep(d / 12)
		if last = resident(t, profile); first == 0 && time.Since(begin) > d/4 {
			first = last
		}
		t.Logf("after %3.0f s: %d Posts, %d MB", time.Since(begin).Seconds(), eval[int](b, total)-from, last>>20)
	}
	_ = stop.Close()
	if err := feeder.Wait(); err != nil {
		t.Error(err)
	}
	t.Logf("%s Posts were posted", fed.String())
	rate := float64(eval[int](b, total)-from) / time.Since(begin).Seconds()
	t.Logf("%.0f Posts a second came to the page; tasks over 50 ms: %v", rate, eval[[]int](b, `long.sort((a, b) => b - a)`))
	if shown := eval[float64](b, `added`) / time.Since(begin).Seconds(); shown > 15 {
		t.Errorf("a column shows %.0f Posts a second, want about 5 in a flood", shown)
	}
	if rate < 5_000 && alone != "" {
		t.Errorf("%.0f Posts a second came to the page, want many more", rate)
	}
	if n := eval[int](b, `long.filter((ms) => ms > 50).length`); n > 0 && alone != "" {
		t.Errorf("%d tasks took more than 50 ms", n)
	}
	if !eval[bool](b, `/[1-9][\d,]* Posts were skipped on this page/.test(document.querySelector('#notice-text').textContent)`) {
		t.Error("it is not said how many are skipped")
	}
	if last > first+first/4 {
		t.Errorf("the page takes %d MB, and took %d MB after a quarter of the time", last>>20, first>>20)
	}
	if n := eval[int](b, posts); n > 150 {
		t.Errorf("%d Posts are in the list, want 150 at most", n)
	}
	b.screenshot("behind")
}

// feedVariable makes the test's binary a process that posts to this address until its
// standard input ends, and then says how many Posts were taken.
const feedVariable = "TWEETSTREAM_FEED"

func feeds(url string) {
	stop := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(stop)
	}()
	fmt.Print(feed(url, 10_000, stop))
}

// feed posts Posts as X sends them, some 2.4 kB each, at a rate a second until stop.
// It returns how many were taken.
func feed(url string, rate int, stop <-chan struct{}) (taken int) {
	const batch = 250
	filler := strings.Repeat(`{"domain":{"id":"66","name":"Interests and Hobbies Category"},"entity":{"id":"847","name":"Trains and Tea"}},`, 16)
	tick := time.NewTicker(time.Second * batch / time.Duration(rate))
	defer tick.Stop()
	for id := 1_900_000_000_000_000_000; ; {
		select {
		case <-stop:
			return taken
		case <-tick.C:
		}
		var body bytes.Buffer
		for range batch {
			id++
			fmt.Fprintf(&body, `{"data":{"id":"%d","text":"Number %d of many who wait for #tea on a train https://t.co/aaaaaaaaaa","lang":"en","author_id":"%d","created_at":%q,"context_annotations":[%s],"edit_history_tweet_ids":["%d"]},"includes":{"users":[{"id":"%d","name":"Author %d","username":"author_%d"}]},"matching_rules":[{"id":"1","tag":"coop"}]}`+"\n",
				id, id, id%999, time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), strings.TrimSuffix(filler, ","), id, id%999, id%999, id%999)
		}
		resp, err := http.Post(url, "application/x-ndjson", &body)
		if err != nil {
			return taken // the server has ended
		}
		resp.Body.Close()
		if resp.StatusCode == http.StatusNoContent {
			taken += batch
		}
	}
}

// resident returns how much memory the browser's processes for pages take.
func resident(t *testing.T, profile string) (bytesTaken int) {
	t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range lines {
		line, err := os.ReadFile(name)
		if err != nil || !bytes.Contains(line, []byte("--type=renderer")) || !bytes.Contains(line, []byte(profile)) {
			continue // a process that has ended, or another
		}
		statm, err := os.ReadFile(filepath.Join(filepath.Dir(name), "statm"))
		if fields := strings.Fields(string(statm)); err == nil && len(fields) > 1 {
			pages, _ := strconv.Atoi(fields[1])
			bytesTaken += pages * os.Getpagesize()
		}
	}
	return bytesTaken
}
