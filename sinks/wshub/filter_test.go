package wshub_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sinks/wshub"
)

// post is a message with fields of a Post.
func post(n int, text, fields string, tags ...string) *tweetstream.Tweet {
	t := tweet(n, 0, tags...)
	t.Raw = fmt.Appendf(nil, `{"data":{"id":"%d","text":%q%s}}`, n, text, fields)
	return t
}

func TestFilters(t *testing.T) {
	all := []*tweetstream.Tweet{
		post(1, "Go is here", `,"lang":"en"`, "go"),
		post(2, "let it go!", `,"lang":"en","possibly_sensitive":true`),
		post(3, "Gopher und Go-Kart", `,"lang":"de"`, "go"),
		post(4, "algorithm", `,"lang":"en"`),
		post(5, "東京で雨", `,"lang":"ja"`),
		post(6, "no language", ``),
		{ID: "7", Raw: []byte(`{"data":{"id":"7"`)}, // no JSON
	}
	cases := []struct {
		query string
		want  []int
	}{
		{"", []int{1, 2, 3, 4, 5, 6, 7}},
		{"lang=en", []int{1, 2, 4}},
		{"lang=DE&lang=ja", []int{3, 5}},
		{"word=go", []int{1, 2, 3}},
		{"word=GO&word=algorithm", []int{1, 2, 3, 4}},
		{"word=is+here", []int{1}},
		{"word=%E6%9D%B1%E4%BA%AC", []int{5}},
		{"sensitive=false", []int{1, 3, 4, 5, 6}},
		{"sensitive=true", []int{1, 2, 3, 4, 5, 6, 7}},
		{"word=go&lang=en&sensitive=false&tag=go", []int{1}},
		{"tag=go&lang=de", []int{3}},
	}
	hub := serve(t)
	changes := hub.view("")
	hub.deliver(all...)
	changes.sequence(1, 7)
	for _, c := range cases {
		v := hub.view("?" + c.query)
		for _, n := range c.want {
			v.sequence(n, 1)
		}
	}
	for i, c := range cases {
		// The answer comes between what the old filter has let through and
		// what the new one does.
		changes.send(text(fmt.Sprintf(`{"filter":%q}`, c.query)))
		if got, err := changes.message(); err != nil || !strings.HasPrefix(got, `{"filter":"`) || strings.Contains(got, "error") {
			t.Fatalf("message %q, %v, want the filter", got, err)
		}
		for _, old := range all {
			hub.deliver(&tweetstream.Tweet{ID: fmt.Sprint(old.ID, "-", i), Raw: old.Raw, Rules: old.Rules})
		}
		for _, n := range c.want {
			changes.sequence(n, 1)
		}
		// Every filter lets the notice through: what comes before it has gone
		// by this one, and the next is not asked for it.
		end := fmt.Sprint("none-", i)
		if err := hub.Delete(t.Context(), []string{end}); err != nil {
			t.Fatal(err)
		}
		changes.want(fmt.Sprintf(`{"deleted":[%q]}`, end))
	}
	for _, bad := range []string{"lang=%zz", "sensitive=perhaps", "word=%2c", strings.Repeat("tag=a&", 101)} {
		if _, err := hub.dial("?"+bad, nil); fmt.Sprint(err) != "status 400" {
			t.Errorf("%.20s: %v, want status 400", bad, err)
		}
		changes.send(text(fmt.Sprintf(`{"filter":%q}`, bad)))
		if got, err := changes.message(); err != nil || !strings.HasPrefix(got, `{"filter":"lang=de\u0026tag=go","error":"`) {
			t.Errorf("message %q, %v, want the filter as it was, and an error", got, err)
		}
	}
	changes.send(text(`{"filter":7}`)) // is not looked at
	changes.send(ws.NewPingFrame(nil))
	if op, _, err := changes.frame(); op != ws.OpPong || err != nil {
		t.Errorf("frame %v, %v, want the pong", op, err)
	}
}

// Deleted Posts leave the hub at once, for those who come, those who come back
// and those who are behind; all are told.
func TestDelete(t *testing.T) {
	hub := serve(t, wshub.Newest(100), wshub.MaxLag(64<<20, time.Minute))
	witness, asleep := hub.view("?tag=nothing"), hub.view("")
	const n = 6000
	for i := range n {
		hub.deliver(tweet(i, 2400, "a"))
	}
	gone := map[int]bool{n - 1: true, n - 2: true, n - 50: true, 0: true, 4000: true}
	if err := hub.Delete(t.Context(), []string{fmt.Sprint(n - 1), fmt.Sprint(n - 50), "0", "no such"}); err != nil {
		t.Fatal(err)
	}
	if err := hub.Delete(t.Context(), []string{"4000", fmt.Sprint(n - 2)}); err != nil {
		t.Fatal(err)
	}
	hub.deliver(tweet(n-1, 2400), tweet(n-50, 2400), &tweetstream.Tweet{ID: "no such", Raw: []byte("{}")}) // they do not come back
	hub.deliver(tweet(n, 0, "nothing"))
	notes := []string{fmt.Sprintf(`{"deleted":["%d","%d","0","no such"]}`, n-1, n-50), fmt.Sprintf(`{"deleted":["4000","%d"]}`, n-2)}
	ends := func(c *client) {
		t.Helper()
		for _, note := range notes {
			c.want(note)
		}
		c.sequence(n, 1)
	}
	ends(witness)
	ends(hub.view(fmt.Sprint("?since=", n-1))) // a viewer may have seen it
	for from, c := range map[int]*client{n - 97: hub.view(""), 3000: hub.view("?since=2999&tag=a&tag=nothing"), 3999: hub.view("?since=3998")} {
		for i := from; i < n; i++ {
			if !gone[i] {
				c.sequence(i, 1)
			}
		}
		ends(c)
	}
	// What was in its socket's buffers could not be taken back.
	for i := 0; i < n; i++ {
		if i < 3000 || !gone[i] {
			asleep.sequence(i, 1)
		}
	}
	ends(asleep)
	await(t, "nothing waits", func() bool { return hub.Stats().Lag.Max == 0 })
}

// With SkipSlow a viewer that is behind goes on at the newest message, and is
// told how much it has missed.
func TestSkipSlow(t *testing.T) {
	hub := serve(t, wshub.Newest(0), wshub.MaxLag(1<<20, time.Minute), wshub.SkipSlow())
	asleep := hub.view("")
	const n = 8000
	for i := range n {
		hub.deliver(tweet(i, 2400))
	}
	await(t, "it was moved", func() bool { return hub.Stats().Skipped > 1 })
	go func() {
		await(t, "it has caught up", func() bool { return hub.Stats().Lag.Max == 0 })
		hub.deliver(tweet(n, 0))
	}()
	next := 0
	for next <= n {
		got, err := asleep.message()
		if err != nil {
			t.Fatal(err)
		}
		var missed, after int
		if _, err := fmt.Sscanf(got, `{"gap":{"after":"%d","missed":%d,"reason":"slow"}}`, &after, &missed); err == nil {
			if after != next-1 {
				t.Errorf("a gap after %d, want %d", after, next-1)
			}
			next += missed
			continue
		}
		if number(got) != next {
			t.Fatalf("message %d, want %d", number(got), next)
		}
		next++
	}
	if s := hub.Stats(); len(s.CutOff) > 0 {
		t.Errorf("Stats() = %+v, want nobody cut off", s)
	}
}

// One that takes nothing is cut off nevertheless.
func TestSkipStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := servePipe(t, wshub.SkipSlow(), wshub.MaxLag(64<<10, 4*time.Second))
		hub.view("")
		for i := range 100 {
			hub.deliver(tweet(i, 2400))
		}
		time.Sleep(9 * time.Second)
		synctest.Wait()
		if s := hub.Stats(); len(s.CutOff) != 0 || s.Skipped == 0 {
			t.Errorf("after 9 s Stats() = %+v, want nobody cut off", s)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if s := hub.Stats(); s.CutOff[wshub.Slow] != 1 {
			t.Errorf("after 11 s Stats() = %+v, want one cut off", s)
		}
	})
}

// A filter is asked once for each message, however many viewers have it and
// however they write it.
func TestFiltersShared(t *testing.T) {
	hub := serve(t, wshub.Newest(0))
	queries := []string{"?lang=en&tag=a", "?tag=a&lang=en", "?tag=a&lang=en&sensitive=true", "?tag=a", "?tag=b&tag=a", "?tag=a&tag=b&tag=a"}
	var clients []*client
	for range 5 {
		for _, q := range queries {
			clients = append(clients, hub.view(q))
		}
	}
	for i := range 10 {
		hub.deliver(post(i, "text", `,"lang":"en"`, "a"))
	}
	for _, c := range clients {
		c.sequence(0, 10)
	}
	if got := wshub.Filters(hub.Hub); got != 3 {
		t.Errorf("%d filters were asked, want 3", got)
	}

	// What is known of the messages is not worked out again, for another filter
	// or for a later viewer.
	wshub.Translate(hub.Hub, "de")
	hub.view("?replay=10&lang=de").sequence(0, 10)
	wshub.Forget(hub.Hub)
	late := hub.view("?replay=10&tag=a")
	hub.deliver(post(10, "text", "", "a"))
	late.sequence(10, 1)
}

// What a filter lets through goes out in one write, also where other messages lie
// between.
func TestFilterWrites(t *testing.T) {
	hub := serve(t, wshub.MaxLag(64<<20, time.Minute))
	for i := range 1000 {
		hub.deliver(tweet(i, 500, fmt.Sprint("t", i%2)))
	}
	for query, size := range map[string]int{"": 256 << 10, "tag=t0": 64 << 10, "tag=t1": 64 << 10} {
		if got, most := wshub.Written(hub.Hub, query), size/(4+500); got != most {
			t.Errorf("%q: %d messages in a write, want %d", query, got, most)
		}
	}
}

// A network of IPv6 counts as one address, and so does IPv4 in another spelling.
func TestAddresses(t *testing.T) {
	hub := serve(t, wshub.MaxPerAddress(1))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.RemoteAddr = r.Header.Get("Remote")
		hub.Events().ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	t.Cleanup(server.CloseClientConnections)
	for _, c := range []struct {
		addr string
		want int
	}{
		{"[2001:db8::1]:1", 200},
		{"[2001:db8::ffff]:2", 503},
		{"[2001:db8:0:1::1]:1", 200},
		{"[fe80::1%eth0]:1", 200},
		{"[fe80::2]:1", 503},
		{"192.0.2.1:1", 200},
		{"[::ffff:192.0.2.1]:2", 503},
		{"192.0.2.2:1", 200},
		{"@", 200},
	} {
		if got := hub.events(server, "", http.Header{"Remote": {c.addr}}).resp.StatusCode; got != c.want {
			t.Errorf("%s: status %d, want %d", c.addr, got, c.want)
		}
	}
}

func TestMaxPerAddress(t *testing.T) {
	hub := serve(t, wshub.MaxPerAddress(2))
	first := hub.view("")
	hub.view("")
	if _, err := hub.dial("", nil); fmt.Sprint(err) != "status 503" {
		t.Errorf("a third viewer gets %v, want status 503", err)
	}
	first.conn.Close()
	await(t, "one has left", func() bool { return hub.Stats().Viewers == 1 })
	hub.view("")
}
