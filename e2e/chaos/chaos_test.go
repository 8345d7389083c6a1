// Package chaos_test lets everything go wrong for the whole program at once: X
// sends 1,000 Posts a second to the streamer, which hands them to a file and to a
// receiver, while X fails in every way that xtest knows and the streamer is killed
// (kill -9) again and again. Afterwards each Post must be in the file once, whole,
// and with the receiver.
package chaos_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tweetstream-go/tweetstream/xtest"
)

const rate = 1000 // Posts a second

// long reports whether the long tests are asked for.
func long() bool { return os.Getenv("TWEETSTREAM_CHAOS") == "1" }

// patience is for the source to catch up once all faults are over.
const patience = 4 * time.Minute

// variant is a way to keep what outlives a life of the streamer.
type variant struct {
	flags   func(dir string) []string
	ordered bool // the log outlives it too, so that all sinks get one order
}

var variants = map[string]variant{
	"checkpoint": {func(dir string) []string { return []string{"--checkpoint", filepath.Join(dir, "state")} }, false},
	"journal":    {func(dir string) []string { return []string{"--journal", filepath.Join(dir, "journal")} }, true},
	"backfill": {func(dir string) []string {
		return []string{"--journal", filepath.Join(dir, "journal"), "--backfill", "5m"}
	}, true},
}

// chaos is one run of it.
type chaos struct {
	*testing.T
	x       *xtest.Server
	service *service
	posts   int64 // that X makes in all
}

// made reports whether X has made all Posts.
func (c *chaos) made() bool { return c.x.Stats().Made >= c.posts }

// lull waits until X has made all Posts, and for a second, to which X's clock is
// known. A streamer that is started then recovers all at once; otherwise those of
// the last second come when search has settled, half a minute later.
func (c *chaos) lull() {
	for !c.made() {
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(1100 * time.Millisecond)
}

// inject lets X fail.
func (c *chaos) inject(script string) {
	c.Helper()
	if err := c.x.Inject(script); err != nil {
		c.Fatal(err)
	}
	for _, m := range floods.FindAllStringSubmatch(script, -1) {
		n, _ := strconv.Atoi(m[1])
		c.posts += int64(n)
	}
}

var floods = regexp.MustCompile(`flood=(\d+)`)

// run lets the streamer run for as many seconds, with what goes wrong meanwhile,
// and then until it has caught up.
func run(t *testing.T, v variant, seconds int, wrong func(c *chaos, end time.Time), more ...string) {
	t.Helper()
	limit := seconds * rate
	x := xtest.NewServer(xtest.Rate(rate), xtest.Limit(limit), xtest.Faults("limits=none"), xtest.History(2*limit+20_000))
	defer x.Close()
	r := receive(t, x)
	dir := t.TempDir()
	f := &file{path: filepath.Join(dir, "posts.ndjson")}
	s := supervise(t, x, slices.Concat([]string{
		"--api-url", x.URL, "--rule", "coop=(coop OR #coop) -is:retweet", "--rule", "cats=(cats OR #cats) -is:retweet", "--recover", "15m/1000000", "--log-format", "json",
		"--to", "file:" + f.path, "--to", r.URL,
	}, v.flags(dir), more)...)
	c := &chaos{T: t, x: x, service: s, posts: int64(limit)}

	begin := time.Now()
	wrong(c, begin.Add(time.Duration(seconds)*time.Second))
	over := time.Now()

	done := func() bool {
		if !c.made() {
			return false
		}
		lines, err := f.posts()
		if err != nil {
			t.Fatal(err)
		}
		want := len(x.IDs())
		return lines >= want && r.posts() >= want
	}
	for !done() && time.Since(over) < patience {
		time.Sleep(20 * time.Millisecond)
	}
	took := time.Since(over)
	s.end()

	want := x.IDs()
	slices.Sort(want) // all ids have the same length
	got, bad := f.ids(x)
	missing, again := compare(want, got)
	r.mu.Lock()
	defer r.mu.Unlock()
	owed, _ := compare(want, r.order)
	recovered, gaps, searches := 0, 0, 0
	said := map[string]int{}
	for _, rec := range s.records() {
		if rec.Msg == "a gap is recovered" {
			recovered, gaps = recovered+rec.New, gaps+1
		}
		if rec.Level != "INFO" {
			said[rec.Msg]++
		}
	}
	for _, q := range x.Requests() {
		if strings.HasSuffix(q.Path, "/search/recent") {
			searches++
		}
	}
	st := x.Stats()
	t.Logf("%d Posts made, %d match; %d sent by %d streams, %d refused; %d pages of search, %d gaps recovered with %d new Posts; %d kills, %d failures; %d came again to the receiver; caught up %v after the faults",
		st.Made, len(want), st.Sent, st.Connects, st.Refused, searches, gaps, recovered, s.killed, s.failed, r.repeats, took.Round(10*time.Millisecond))
	if len(want) < limit*9/10 {
		t.Errorf("only %d of %d Posts match a rule", len(want), limit)
	}
	if len(bad)+len(r.bad) > 0 {
		t.Errorf("%d lines of the file and %d messages at the receiver are torn, such as %v", len(bad), len(r.bad), slices.Concat(bad, r.bad)[0])
	}
	if again > 0 {
		t.Errorf("%d Posts are in the file again", again)
	}
	if len(missing)+len(owed) > 0 {
		t.Errorf("the file lacks %d Posts:\n%sthe receiver lacks %d:\n%s", len(missing), spans(missing), len(owed), spans(owed))
	}
	if v.ordered && !slices.Equal(got, r.order) {
		t.Error("the file and the receiver got them in different orders")
	}
	if t.Failed() {
		t.Logf("what was said: %v", said)
		keep(t, s)
	}
}

// keep shows what the lives said that may tell why a Post is missing.
func keep(t *testing.T, s *service) {
	t.Helper()
	n := 0
	for _, rec := range s.records() {
		if strings.Contains(rec.Msg, "gap") || strings.Contains(rec.Msg, "lost") || rec.Level == "ERROR" {
			if n++; n < 200 {
				t.Logf("life %d: %s", rec.Life, rec.line)
			}
		}
	}
}

// A step of a script: what X does, and whether the streamer is killed, after a
// while.
type step struct {
	script string
	after  time.Duration
	kill   bool
}

// forget takes back the answers that nobody has asked for yet.
const forget = "ok ok@rules ok@search search-late=0s backfill=on"

// quick are faults of every kind that take no longer than it takes to look away. A
// kill ends the waits that X asks for.
var quick = []step{
	{"", 600 * time.Millisecond, false},
	{"garbagex3 unknown", 100 * time.Millisecond, false},
	{"reset", 300 * time.Millisecond, false},
	{"halfline", 500 * time.Millisecond, false},
	{"disconnect=SlowReader", 700 * time.Millisecond, true},
	{"bigline=5 disconnect-bare", 300 * time.Millisecond, false},
	{"503x2 clean", 300 * time.Millisecond, true},
	{forget + " flood=2000", 300 * time.Millisecond, true},
	{"stall=500ms nokeepalive=1s", 700 * time.Millisecond, false},
	{"slow=1000", 300 * time.Millisecond, false},
	{"reset 503@search", 300 * time.Millisecond, true},
	{"401 reset", 300 * time.Millisecond, false},
	{"402 clean", 300 * time.Millisecond, true},
	{"toomany cap=daily html200 halfline", 200 * time.Millisecond, true},
	{"", 200 * time.Millisecond, true},
	{"", 300 * time.Millisecond, true},
}

// thorough are those that take their time, besides.
var thorough = []step{
	{"search-late=10s reset 503", 8 * time.Second, false},
	{"search-late=0s stall=30s", 25 * time.Second, false},
	{"503@searchx2 nostream@search html200@search reset", 2 * time.Second, true},
	{"nostream@searchx2 clean 500", 9 * time.Second, false},
	{"backfill=400 disconnect=ForceDisconnect", 7 * time.Second, true},
	{forget + " backfill=403 redirect clean", 3 * time.Second, true},
	{"backfill=on slow=100000", 15 * time.Second, false},
	{"cap=monthly-403 html empty nostream reset", 2 * time.Second, true},
	{"429 reset", 3 * time.Second, true},
	{"503@rulesx2 bigline=12", 3 * time.Second, true},
	{forget + " flood=10000", 3 * time.Second, true},
}

func TestScriptedFaults(t *testing.T) {
	for name, v := range variants {
		if name != "journal" && !long() {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			steps, seconds := quick, 7
			if long() {
				steps, seconds = slices.Concat(thorough, quick), 80
			}
			run(t, v, seconds, func(c *chaos, _ time.Time) {
				for _, s := range steps {
					c.inject(s.script)
					time.Sleep(s.after)
					if s.kill {
						c.service.signal(os.Kill)
					}
				}
				c.inject(forget)
				if !long() {
					c.lull()
				}
				c.service.signal(os.Kill)
			})
		})
	}
}

// These pass by themselves, in some seconds.
var passing = []string{
	"clean", "reset", "halfline", "disconnect", "disconnect=SlowReader", "disconnect-bare", "disconnect-bare=InternalError",
	"stall=500ms", "stall=1s", "stall=2s", "nokeepalive", "garbage", "unknownx5", "bigline=5", "bigline", "flood=1000", "flood=3000",
	"clean 503", "reset 500", "halfline html", "clean empty", "reset nostream", "503@rules", "503@search", "html200@search", "nostream@search", "empty@search",
	"backfill=400 reset", "backfill=403 clean", "backfill=on reset", "search-late=3s reset", "search-late=0s",
}

// These a supervisor, or a person, must see to: the streamer waits for minutes or
// days, or ends.
var grave = []string{
	"slow=1000", "slow", "stall", "toomany reset", "cap=daily clean", "cap=monthly-403 reset", "429 clean", "402 clean", "401 reset", "403 clean",
	"redirect reset", "404 halfline", "503x5 clean", "empty@rulesx3 reset", "html200x3 clean", "401@rules clean",
}

func TestRandomFaults(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("TWEETSTREAM_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("TWEETSTREAM_SEED=%d", seed)
	for name, v := range variants {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(seed, uint64(len(name))))
			between := func(least, most time.Duration) time.Duration {
				return least + time.Duration(random.Int64N(int64(most-least)))
			}
			seconds, most := 5, 700*time.Millisecond
			if long() {
				seconds, most = 60, 4*time.Second
			}
			run(t, v, seconds, func(c *chaos, end time.Time) {
				for time.Now().Before(end) {
					time.Sleep(between(10*time.Millisecond, most))
					if random.IntN(4) == 0 {
						c.inject(grave[random.IntN(len(grave))])
						time.Sleep(between(10*time.Millisecond, most))
						c.service.signal(os.Kill)
						if random.IntN(2) == 0 {
							c.inject(forget)
						}
						continue
					}
					c.inject(passing[random.IntN(len(passing))])
					if random.IntN(4) == 0 {
						time.Sleep(between(time.Millisecond, 300*time.Millisecond))
						c.service.signal(os.Kill)
					}
				}
				c.inject(forget)
				if !long() {
					c.lull()
				}
				c.service.signal(os.Kill)
			})
		})
	}
}
