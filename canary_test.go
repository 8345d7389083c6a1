package tweetstream_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sources/xstream"
	"github.com/tweetstream-go/tweetstream/xtest"
)

const canaryToken = "kanarienschlüssel"

// canary is a Post whose text must be seen nowhere. It has all that escapes are
// made for.
func canary(id int) *tweetstream.Tweet {
	t, err := tweetstream.ParseTweet(fmt.Appendf(nil, `{"data":{"id":"%d","text":"kanarienvogel: \"tirili\"\n\u006banarienvögel \ud83d\udc26 \u00fcberall カナリアは歌う"},"includes":{"users":[{"id":"1","name":"Kanarienzüchter"}]},"matching_rules":[{"id":"7","tag":"test"}]}`, id))
	if err != nil {
		panic(err)
	}
	return t
}

// sings reports where a canary is heard in text.
func sings(text string) string {
	for _, note := range []string{"kanarien", "Kanarien", "カナリア", `\u30ab\u30ca`, "tirili", "schlüssel"} {
		if i := strings.Index(text, note); i >= 0 {
			return text[max(0, i-60):min(len(text), i+60)]
		}
	}
	return ""
}

// Whatever fails, and whatever the error says, no text of a Post and no secret is
// written down.
func TestCanary(t *testing.T) {
	say := func(t *tweetstream.Tweet) map[string]error {
		c, _ := t.Content()
		return map[string]error{
			"raw":       fmt.Errorf("can't store %s", t.Raw),
			"quoted":    fmt.Errorf("can't store %q", t.Raw),
			"ascii":     fmt.Errorf("can't store %+q", c.Text),
			"text":      fmt.Errorf("can't store '%s'", c.Text),
			"author":    fmt.Errorf("can't store '%s'", "Kanarienzüchter"),
			"wrapped":   fmt.Errorf("sink: %w", fmt.Errorf("can't store %v", []any{c.Text, string(t.Raw)})),
			"secret":    fmt.Errorf("dial postgres://user:%s@db/x?password=%[1]s: Bearer %[1]s", canaryToken),
			"long":      fmt.Errorf("%s%s", strings.Repeat("x", 10_000), t.Raw),
			"permanent": tweetstream.Permanent(fmt.Errorf("never %s", t.Raw)),
			"named":     &tweetstream.TweetError{ID: t.ID, Err: tweetstream.Permanent(fmt.Errorf("never %s", t.Raw))},
			"later":     tweetstream.RetryAfter(fmt.Errorf("later %s", t.Raw), time.Second),
		}
	}
	for kind := range say(canary(1)) {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				heard := func(where, text string) {
					t.Helper()
					if at := sings(text); at != "" {
						t.Errorf("%s: …%s…", where, at)
					}
				}
				fault := func(tw *tweetstream.Tweet) error { return say(tw)[kind] }
				var log lines
				var grave graveyard
				var failed atomic.Int64
				failing := recorder{fail: func(_ context.Context, _ int, tweets []*tweetstream.Tweet) error { return fault(tweets[0]) }}
				panicking := recorder{fail: func(_ context.Context, call int, tweets []*tweetstream.Tweet) error {
					if call%2 == 0 {
						panic(fault(tweets[0]))
					}
					panic(fault(tweets[0]).Error())
				}}
				var m memory
				transform := func(_ context.Context, tw *tweetstream.Tweet) (*tweetstream.Tweet, error) {
					switch tw.ID {
					case "8":
						return nil, fault(tw)
					case "9":
						panic(fault(tw))
					}
					return tw, nil
				}
				m.setFull(fault(canary(1)))
				bury := func(ctx context.Context, letters []tweetstream.Letter) error {
					if failed.Add(1)%3 != 0 {
						return fault(letters[0].Tweet)
					}
					return grave.bury(ctx, letters)
				}
				var tweets []*tweetstream.Tweet
				for id := 1; id <= 9; id++ {
					tweets = append(tweets, canary(id))
				}
				r := start(t, emitting(tweets...),
					tweetstream.WithJournal(&m), tweetstream.WithLogger(log.logger()), tweetstream.WithDeadLetter(bury), tweetstream.WithTransform(transform),
					tweetstream.WithSink("failing", &failing, tweetstream.Batch(3, 0)),
					tweetstream.WithSink("giving-up", &failing, tweetstream.GiveUp(time.Minute), tweetstream.Parallel(2)),
					tweetstream.WithSink("panicking", &panicking, tweetstream.Batch(3, 0)),
					tweetstream.WithSink("through", &failing, tweetstream.Through(func(_ context.Context, tw *tweetstream.Tweet) (*tweetstream.Tweet, error) { return nil, fault(tw) })),
				)
				for range 10 {
					after(10 * time.Second)
					heard("Stats", fmt.Sprintf("%+v", r.Stats()))
				}
				m.setFull(nil)
				for range 100 {
					after(10 * time.Second)
					heard("Stats", fmt.Sprintf("%+v", r.Stats()))
				}
				r.stop()
				heard("the log", log.String())
				for _, l := range grave.letters {
					heard("a letter's error", l.Error)
				}
				if !strings.Contains(log.String(), "first=") || len(grave.letters) == 0 {
					t.Errorf("%d letters; the log is:\n%s", len(grave.letters), log.String())
				}
			})
		})
	}
}

// The same through the source of X, whose answers are somebody else's text.
func TestCanaryOfTheSource(t *testing.T) {
	const token = "kanarientoken-0123456789"
	answers := map[string]xtest.Response{
		"401":      {Status: 401, Body: `{"title":"Unauthorized","detail":"Bearer ` + token + `","type":"about:blank"}`},
		"403":      {Status: 403, Body: `{"title":"` + token + `","detail":"no","type":"https://api.x.com/2/problems/` + token + `"}`},
		"500":      {Status: 500, Body: `<html>` + token + `</html>`},
		"429":      {Status: 429, Body: `{"title":"ConnectionException","connection_issue":"TooManyConnections","detail":"` + token + `"}`},
		"redirect": {Status: 302, Body: token},
	}
	for name, resp := range answers {
		for _, path := range []string{"/2/tweets/search/stream", "/2/tweets/search/stream/rules"} {
			t.Run(name+path, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					x := xtest.NewServer(xtest.InMemory())
					defer x.Close()
					x.Fail(path, 3, resp)
					var log lines
					src, err := xstream.New(xstream.Token(token), xstream.BaseURL(x.URL), xstream.HTTPClient(x.Client()), xstream.Logger(log.logger()),
						xstream.Rules(tweetstream.Rule{Tag: "test", Value: "kanarienvogel"}))
					if err != nil {
						t.Fatal(err)
					}
					var sink recorder
					s, err := tweetstream.New(src, tweetstream.WithSink("sink", &sink), tweetstream.WithLogger(log.logger()))
					if err != nil {
						t.Fatal(err)
					}
					ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
					defer cancel()
					time.AfterFunc(30*time.Minute, func() {
						x.Send([]byte(`garbage kanarienvogel`))
						x.Send([]byte(`{"data":{"text":"kanarienvogel"}}`))
						x.Send([]byte(`{"title":"` + token + `","detail":"kanarien` + token + `"}`))
						x.Disconnect(xtest.Reset)
					})
					err = s.Run(ctx)
					if err != nil && errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("Run() = %v", err)
					}
					said := fmt.Sprintf("%v\n%s\n%+v\n%+v", err, log.String(), s.Stats(), src.Stats())
					if strings.Contains(said, token) {
						t.Errorf("the token is shown:\n%s", said)
					}
					if strings.Contains(strings.ReplaceAll(said, "value=kanarienvogel", ""), "garbage kanarienvogel") {
						t.Errorf("a message is shown:\n%s", said)
					}
				})
			})
		}
	}
}
