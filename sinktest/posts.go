package sinktest

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/tweetstream-go/tweetstream"
)

// secret stands in the text of every Post of the suite, and may stand nowhere
// else.
const secret = "quince marmalade for everybody"

// firstID is where ids begin. All have as many digits, so that they grow as
// strings too.
const firstID int64 = 1_900_000_000_000_000_001

// posts makes n Posts that look like X's.
func (p *probe) posts(n int) []*tweetstream.Tweet {
	tweets := make([]*tweetstream.Tweet, n)
	for i := range tweets {
		id := fmt.Sprint(firstID + int64(p.made))
		text, _ := json.Marshal(fmt.Sprintf("%s, %d of them ☕ \"quoted\" \\ #coop", secret, p.made))
		tweets[i] = message(id, string(text), "")
		p.made++
	}
	return tweets
}

// message makes a Post of an id, a text in JSON, and what else stands in data.
func message(id, text, more string) *tweetstream.Tweet {
	return parsed(fmt.Sprintf(`{"data":{"author_id":"12","created_at":"2026-01-01T12:00:00.000Z","edit_history_tweet_ids":["%s"],"id":"%[1]s","lang":"en","text":%s%s},`+
		`"includes":{"users":[{"id":"12","name":"Vel","username":"vellin"}]},"matching_rules":[{"id":"1700000000000000001","tag":"sinktest"}]}`, id, text, more))
}

func parsed(line string) *tweetstream.Tweet {
	t, err := tweetstream.ParseTweet([]byte(line))
	if err != nil {
		panic("sinktest: " + err.Error())
	}
	t.Received = time.Now()
	return t
}

// A hostile Post is one that X, or a transform, could well hand to a sink.
type hostile struct {
	name  string
	tweet *tweetstream.Tweet
}

// hostiles returns Posts that break careless sinks. The huge ones come last.
func (p *probe) hostiles() []hostile {
	var all []hostile
	id := func() string { p.made++; return fmt.Sprint(firstID + int64(p.made) - 1) }
	add := func(name string, t *tweetstream.Tweet) { all = append(all, hostile{name, t}) }
	text := func(name, text string) { add(name, message(id(), `"`+secret+" "+text+`"`, "")) }
	field := func(name, field string) { add(name, message(id(), `"`+secret+`"`, ","+field)) }
	data := func(name, rest string) { // %s is the id
		add(name, parsed(fmt.Sprintf(rest, id())))
	}

	text("a zero byte, escaped", `a\u0000b`)
	text("lone surrogates, escaped", `\ud83d and \udc00\ud800`)
	text("emoji in surrogate pairs, and joined", `\ud83d\ude00 👩‍👩‍👧‍👦 🏴‍☠️ 🇺🇳`)
	text("right to left, and overrides of it", "שלום مرحبا \u202eabc\u202c \u2066x\u2069")
	text("script", `</script><script>alert(1)</script><img src=x onerror=alert(1)> &lt;b&gt;`)
	text("quotes of SQL", `'); DROP TABLE posts; -- \" OR 1=1 $1 ? :id %s %d \\' \\`)
	text("line separators of JavaScript", "a\u2028b\u2029c\u0085d")
	text("escaped line breaks", `a\r\nb\n\n{\"data\":{\"id\":\"1\"}}\n`)
	text("controls, a byte order mark, and characters that are none", "\u007f\u0080\u009b \ufeff \ufffe \uffff \ufffd \U0010ffff")
	text("many marks on one letter", "z"+strings.Repeat("\u0335", 200))
	text("templates", `{{7*7}} ${jndi:x} =HYPERLINK(\"x\") `+"`id`")
	text("a path", `../../../etc/passwd %2e%2e%2f C:\\con\\nul`)

	for _, odd := range []struct{ name, id string }{
		{"an id of 2^63", "9223372036854775808"},
		{"an id of 2^64 and more", "99999999999999999999999999"},
		{"an id that begins with zeros", "000123"},
		{"the same id without zeros", "123"},
		{"an id that is no number", "post-A_z"},
		{"the same id in small letters", "post-a_z"},
		{"the longest id", strings.Repeat("Z9", 32)},
		{"an id like a number's", "1e5"},
	} {
		add(odd.name, message(odd.id, `"`+secret+`"`, ""))
	}

	data("nothing but the id", `{"data":{"id":"%s"}}`)
	data("no rules", `{"data":{"id":"%s","text":"`+secret+`"},"matching_rules":[]}`)
	data("rules that are null", `{"data":{"id":"%s","text":"`+secret+`"},"matching_rules":null}`)
	data("rules without tags, or odd ones", `{"data":{"id":"%s","text":"`+secret+`"},"matching_rules":[{"id":"1"},{"id":"2","tag":""},{"id":"3","tag":null},{"id":18446744073709551615,"tag":"a\u0000'\"<b>\n"}]}`)
	data("a thousand rules", `{"data":{"id":"%s","text":"`+secret+`"},"matching_rules":[`+strings.Repeat(`{"id":"1700000000000000001","tag":"a tag"},`, 999)+`{"id":"2"}]}`)
	data("empty includes", `{"data":{"id":"%s","text":"`+secret+`"},"includes":{}}`)
	data("includes of other shapes", `{"data":{"id":"%s","text":"`+secret+`","author_id":"12"},"includes":{"users":[null,{},{"id":12},[]],"media":{"a":1},"tweets":"x"}}`)
	data("fields that are null", `{"data":{"id":"%s","text":null,"author_id":null,"created_at":null,"entities":null,"public_metrics":null},"includes":null,"errors":null}`)
	data("fields of other shapes", `{"data":{"id":"%s","text":{"a":["`+secret+`"]},"author_id":12,"created_at":"yesterday","lang":["en"],"entities":"x","public_metrics":[1]}}`)
	data("white space between values", "{ \"data\" : {\t\"id\" : \"%s\" , \"text\" : \""+secret+"\" } }")
	data("partial errors", `{"data":{"id":"%s","text":"`+secret+`"},"errors":[{"title":"Not Found Error","resource_type":"tweet","value":"1","detail":"gone"}]}`)
	field("a key that stands twice", `"text":"another text","text":"a third"`)
	field("numbers that fit nowhere", `"n":[1e400,-0,1e-400,123456789012345678901234567890.5]`)
	field("keys of all kinds", `"":1,"__proto__":{"x":1},"a.b":2,"$where":3,"a\u0000b":4,"é":5`)
	field("bytes that are no JSON", `"n":01,"s":"\q\u12","b":tru,"a":[1,,2,]`)

	shaped := p.posts(2)
	add("a message that a transform has shaped anew", shaped[0].WithRaw([]byte(`{"id":"`+shaped[0].ID+`","text":"`+secret+`"}`)))
	add("a message that a transform has made a string", shaped[1].WithRaw([]byte(`"`+shaped[1].ID+" "+secret+`"`)))
	recovered := message(id(), `"`+secret+`"`, "")
	recovered.Recovered, recovered.Received = true, time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
	add("a Post recovered, received in 1970", recovered)

	const depth = 20_000
	field("values 20,000 deep", `"deep":`+strings.Repeat("[", depth)+strings.Repeat("]", depth))
	text("100 kB of text", strings.Repeat("0123456789", 10_000))
	text("4 MiB of text", strings.Repeat("é", 2<<20-1_000))
	return all
}
