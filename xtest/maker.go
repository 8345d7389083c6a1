package xtest

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/tweetstream-go/tweetstream/internal/rulelang"
)

// epoch is when X's ids begin, in Unix milliseconds: an id has the milliseconds
// since then in its upper bits.
const epoch = 1288834974657

// bubbleStart is the server's time at the beginning of a synctest bubble.
var bubbleStart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func snowflake(t time.Time) uint64 { return uint64(max(0, t.UnixMilli()-epoch)) << 22 }

func snowflakeTime(id uint64) time.Time { return time.UnixMilli(int64(id>>22) + epoch).UTC() }

// Two workers make ids, as X's many do: one for what is sent, one for what is
// only referred to, so that ids never collide.
const (
	sentWorker = 360 << 12
	pastWorker = 7 << 12
)

// maker makes Posts up. It is not safe for concurrent use.
type maker struct {
	seed  uint64
	made  uint64     // Posts so far
	r     *rand.Rand // of the Post being made
	last  uint64     // id
	users map[string]*user
	crowd []*user // those who post when nobody else is asked for
}

const crowdSize = 400

func newMaker(seed uint64) *maker {
	m := &maker{seed: seed, users: map[string]*user{}}
	for i := range crowdSize {
		m.crowd = append(m.crowd, m.user(fmt.Sprintf("%s%s_%d", pick(m.rand(), syllables), pick(m.r, syllables), 10+i)))
	}
	return m
}

// rand returns a source for the next Post, so that what one Post used does not
// change the others.
func (m *maker) rand() *rand.Rand {
	m.made++
	m.r = rand.New(rand.NewPCG(m.seed, m.made))
	return m.r
}

func (m *maker) chance(f float64) bool { return m.r.Float64() < f }

// percent is true n times in 100.
func (m *maker) percent(n int) bool { return m.r.IntN(100) < n }

// id returns the next id at now, above all before.
func (m *maker) id(now time.Time) uint64 {
	m.last = max(m.last+1, snowflake(now)+sentWorker)
	return m.last
}

// pastID returns the id of a Post from before at.
func (m *maker) pastID(at time.Time) uint64 {
	ago := time.Duration(1+m.r.IntN(3*24*3600)) * time.Second
	return snowflake(at.Add(-ago)) + pastWorker + uint64(m.r.IntN(1<<12))
}

// next makes one Post for the stream.
func (m *maker) next(now time.Time, topics []string, rules []*rule) *post {
	r := m.rand()
	id := m.id(now)
	if len(topics) > 0 || len(rules) == 0 {
		if len(topics) == 0 {
			topics = subjects
		}
		return m.compose(id, now, topicWish(r, topics))
	}
	var w wish
	gather(pick(r, rules).node, r, &w)
	p := m.compose(id, now, w)
	for _, rule := range rules {
		if rule.node.Matches(p.doc()) {
			return p
		}
	}
	// Something that was added at random is not wanted: now without.
	w.no |= (rulelang.IsRetweet | rulelang.IsReply | rulelang.IsQuote | rulelang.HasMedia | rulelang.HasImages | rulelang.HasVideos | rulelang.HasLinks | rulelang.HasHashtags | rulelang.HasMentions | rulelang.HasCashtags | rulelang.HasGeo) &^ w.want
	return m.compose(id, now, w)
}

// links are found in a text given by hand.
var links = regexp.MustCompile(`https?://[^\s"<>]+`)

// byHand makes the Post that a test asks for.
func (m *maker) byHand(now time.Time, want Post) *post {
	m.rand()
	w := wish{
		from: strings.ToLower(strings.TrimPrefix(want.Author, "@")),
		lang: want.Lang,
		want: map[string]rulelang.Flag{"retweet": rulelang.IsRetweet, "reply": rulelang.IsReply, "quote": rulelang.IsQuote}[want.Kind],
	}
	if want.Author != "" {
		m.user(strings.TrimPrefix(want.Author, "@")) // spelled so
	}
	if want.Text == "" {
		w.parts = topicWish(m.r, subjects).parts
	} else {
		w.no = rulelang.IsRetweet | rulelang.IsReply | rulelang.IsQuote
		w.no &^= w.want
	}
	p := m.composeText(m.id(now), now, w, want.Text)
	if p.kind&rulelang.IsQuote != 0 && want.Quoted != "" {
		p.quotes, p.refMissing = true, false
		p.ref.text, p.ref.links, p.ref.media = want.Quoted, nil, nil
	}
	return p
}

// compose makes a Post with made-up text.
func (m *maker) compose(id uint64, at time.Time, w wish) *post {
	return m.composeText(id, at, w, "")
}

func (m *maker) composeText(id uint64, at time.Time, w wish, text string) *post {
	r := m.r
	p := &post{id: id, at: at, author: m.author(w.from, w), conversation: id, ascii: m.percent(15), layout: r.IntN(len(layouts))}
	if m.percent(2) {
		p.edited = m.pastID(at)
	}
	kind := w.want & (rulelang.IsRetweet | rulelang.IsReply | rulelang.IsQuote)
	if kind == 0 {
		switch n := r.IntN(100); {
		case n < 20:
			kind = rulelang.IsRetweet
		case n < 38:
			kind = rulelang.IsReply
		case n < 50:
			kind = rulelang.IsQuote
		}
		kind &^= w.no
	}
	switch {
	case kind&rulelang.IsRetweet != 0:
		o := w
		o.from, o.want, o.no = "", w.want&^(rulelang.IsRetweet|rulelang.IsVerified), w.no|rulelang.IsRetweet|rulelang.IsReply|rulelang.IsQuote
		p.ref = m.composeText(m.pastID(at), at, o, text)
		p.ref.at, p.ref.ascii = snowflakeTime(p.ref.id), p.ascii
		p.kind, p.lang = rulelang.IsRetweet, p.ref.lang
		p.text = "RT @" + p.ref.author.username + ": " + p.ref.text
		p.links, p.media, p.annotations, p.sensitive = p.ref.links, p.ref.media, p.ref.annotations, p.ref.sensitive
		p.mentioned = append([]*user{p.ref.author}, p.ref.mentioned...)
		return p
	case kind != 0:
		o := wish{from: w.to, no: rulelang.IsRetweet | rulelang.IsReply | rulelang.IsQuote}
		o.parts = topicWish(r, subjects).parts
		p.ref = m.compose(m.pastID(at), at, o)
		p.ref.at, p.ref.ascii = snowflakeTime(p.ref.id), p.ascii
		p.kind = kind
		p.refMissing = m.percent(5)
	}
	m.write(p, w, text)
	switch {
	case p.kind&rulelang.IsReply != 0:
		p.conversation = p.ref.id
		if text == "" {
			p.text = "@" + p.ref.author.username + " " + p.text
			p.mentioned = append(p.mentioned, p.ref.author)
		}
	case p.kind&rulelang.IsQuote != 0:
		m.link(p, "https://twitter.com/"+p.ref.author.username+"/status/"+strconv.FormatUint(p.ref.id, 10), "")
	}
	if w.conversation != "" {
		p.conversation = mustID(w.conversation)
	}
	for _, e := range rulelang.FindEntities(p.text) {
		if e.Kind == '@' {
			p.mentioned = append(p.mentioned, m.user(e.Text))
		}
	}
	from := r.IntN(len(annotations))
	p.annotations = annotations[from:min(len(annotations), from+r.IntN(5))]
	p.sensitive = m.percent(4)
	p.withheld = m.percent(1)
	place := m.percent(3)
	p.place = w.want&rulelang.HasGeo != 0 || place && w.no&rulelang.HasGeo == 0
	p.poll = m.percent(2)
	return p
}

func (m *maker) author(name string, w wish) *user {
	if name != "" {
		return m.user(name)
	}
	for {
		u := pick(m.r, m.crowd)
		if (w.want&rulelang.IsVerified == 0 || u.verified) && (w.no&rulelang.IsVerified == 0 || !u.verified) {
			return u
		}
	}
}

// write gives the Post its text, links and media.
func (m *maker) write(p *post, w wish, text string) {
	r := m.r
	l := m.language(w.lang)
	p.lang = l.code
	if w.lang != "" {
		p.lang = w.lang
	}
	if text != "" {
		p.text = text
		for _, long := range links.FindAllString(text, -1) {
			short := m.short()
			p.links = append(p.links, link{short: short, long: long})
			p.text = strings.Replace(p.text, long, short, 1)
		}
		return
	}

	topic := pick(r, subjects)
	if len(w.parts) > 0 {
		topic = w.parts[0]
	}
	sentence := pick(r, l.sentences)
	strange := m.percent(3)
	if strange {
		sentence = pick(r, hostile)
	}
	var b strings.Builder
	b.WriteString(strings.Replace(sentence, "%s", topic, 1))
	if m.percent(10) { // a long one, in note_tweet
		for n := 250 + r.IntN(1200); b.Len() < n; {
			b.WriteString(pick(r, []string{" ", " ", " ", "\n\n"}))
			b.WriteString(pick(r, l.more))
		}
	} else if m.percent(40) {
		b.WriteString(" " + pick(r, l.more))
	}
	for _, part := range w.parts[min(1, len(w.parts)):] {
		b.WriteString(" " + part)
	}
	if m.percent(30) {
		b.WriteString(" " + pick(r, emoji))
	}
	add := func(f rulelang.Flag, percent int) bool { return w.want&f != 0 || w.no&f == 0 && m.percent(percent) }
	if add(rulelang.HasHashtags, 20) {
		b.WriteString(" #" + pick(r, subjects))
	}
	if add(rulelang.HasCashtags, 1) {
		b.WriteString(" $COOP")
	}
	if add(rulelang.HasMentions, 8) {
		b.WriteString(" @" + pick(r, m.crowd).username)
	}
	p.text = b.String()
	if add(rulelang.HasLinks, 18) {
		m.link(p, w.link, "The long way round: notes on \""+strings.TrimLeft(topic, "#@$")+"\"")
	}
	switch {
	case add(rulelang.HasImages, 9) || w.want&rulelang.HasMedia != 0:
		m.attach(p, 1+r.IntN(4), false)
	case w.want&rulelang.HasVideos != 0 || w.no&(rulelang.HasVideos|rulelang.HasMedia) == 0 && m.percent(4):
		m.attach(p, 1, true)
	}
	if w.want&rulelang.HasVideos != 0 && len(p.media) > 0 && !p.media[0].video {
		m.attach(p, 1, true)
	}
}

func (m *maker) language(code string) *language {
	n := 0
	for i := range languages {
		if languages[i].code == code {
			return &languages[i]
		}
		n += languages[i].weight
	}
	if code != "" {
		return &languages[0]
	}
	n = m.r.IntN(n)
	for i := range languages {
		if n -= languages[i].weight; n < 0 {
			return &languages[i]
		}
	}
	return &languages[0]
}

// token returns n random letters and digits.
func (m *maker) token(n int) string {
	const set = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	b := make([]byte, n)
	for i := range b {
		b[i] = set[m.r.IntN(len(set))]
	}
	return string(b)
}

func (m *maker) short() string { return rulelang.ShortLink + m.token(10) }

// link ends the text with a link; without a target it is made up.
func (m *maker) link(p *post, long, title string) {
	switch {
	case long == "":
		long = "https://vellin-courier.example/" + m.token(6) + "/story?id=" + strconv.Itoa(m.r.IntN(1e6)) + "&ref=post"
	case !strings.Contains(long, "://"):
		if !strings.Contains(long, ".") {
			long = "vellin-courier.example/" + long
		}
		long = "https://" + long
	}
	short := m.short()
	p.links = append(p.links, link{short: short, long: long, title: title})
	p.text += " " + short
}

// attach adds n photos or videos, and the link to them that ends the text.
func (m *maker) attach(p *post, n int, video bool) {
	kind, prefix := "photo", "3_"
	if video {
		kind, prefix = "video", "7_"
	}
	short := m.short()
	first := len(p.media)
	for range n {
		id := snowflake(p.at.Add(-time.Minute)) + pastWorker + uint64(m.r.IntN(1<<12))
		p.media = append(p.media, media{
			key: prefix + strconv.FormatUint(id, 10), video: video, token: m.token(11),
			width: 640 + m.r.IntN(1600), height: 480 + m.r.IntN(1600), alt: m.percent(30), duration: 4000 + m.r.IntN(130000),
		})
	}
	p.links = append(p.links, link{
		short: short, media: p.media[first].key,
		long: "https://twitter.com/" + p.author.username + "/status/" + strconv.FormatUint(p.id, 10) + "/" + kind + "/1",
	})
	p.text += " " + short
}

// user is an account.
type user struct {
	id       string
	username string
	name     string
	verified bool
	json     [2][]byte // in UTF-8, and escaped to ASCII
}

// user returns the account of this name, or, for digits, of this id; new ones
// are made up, always the same for the same name and seed.
func (m *maker) user(name string) *user {
	key := strings.ToLower(name)
	if u, ok := m.users[key]; ok {
		return u
	}
	h := fnv.New64a()
	h.Write([]byte(key))
	r := rand.New(rand.NewPCG(m.seed, h.Sum64()))
	u := &user{id: strconv.FormatUint(1e9+r.Uint64N(1<<40), 10), username: name, verified: r.IntN(5) == 0}
	if key != "" && strings.Trim(key, "0123456789") == "" {
		u.id, u.username = key, "user"+key[max(0, len(key)-11):]
	}
	var words []string
	for range 2 {
		w := pick(r, syllables) + pick(r, syllables)
		words = append(words, strings.ToUpper(w[:1])+w[1:])
	}
	u.name = strings.Replace(pick(r, decorations), "%s", strings.Join(words, " "), 1)
	seed := r.Uint64()
	for i, ascii := range []bool{false, true} {
		u.json[i] = u.encode(rand.New(rand.NewPCG(m.seed, seed)), ascii)
	}
	m.users[key] = u
	m.users[u.id] = u
	return u
}
