package xtest

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tweetstream-go/tweetstream/internal/rulelang"
)

// post is a made-up Post before it is written as JSON.
type post struct {
	id           uint64
	at           time.Time
	author       *user
	lang         string
	text         string        // the whole
	kind         rulelang.Flag // rulelang.IsRetweet, rulelang.IsReply, rulelang.IsQuote or 0
	ref          *post         // reposted, answered or quoted
	refMissing   bool          // X could not read it: a partial error
	quotes       bool          // ref was given by hand, and is looked at by the stream's rules
	conversation uint64
	mentioned    []*user
	links        []link
	media        []media
	annotations  []annotation
	edited       uint64 // id of the version before, or 0
	sensitive    bool
	withheld     bool
	place, poll  bool
	ascii        bool // the JSON is escaped to ASCII
	layout       int

	made *rulelang.Doc
}

type link struct{ short, long, title, media string }

type media struct {
	key           string
	video         bool
	token         string
	width, height int
	alt           bool
	duration      int
}

// doc is what rules see of the Post: of a repost, also the text reposted.
func (p *post) doc() *rulelang.Doc {
	if p.made != nil {
		return p.made
	}
	d := p.docOf(p.text)
	p.made = d
	return d
}

// quoting is what the stream's rules see of a quote, which is more than search
// sees; nil if that is no more. (A quote of Rate's matches by its own text only.)
func (p *post) quoting() *rulelang.Doc {
	if !p.quotes {
		return nil
	}
	return p.docOf(p.text + "\n" + p.ref.text)
}

// docOf is the doc of the Post with this text.
func (p *post) docOf(text string) *rulelang.Doc {
	d := rulelang.NewDoc(text, rulelang.FindEntities(text))
	d.ID = strconv.FormatUint(p.id, 10)
	if p.place {
		d.Flags |= rulelang.HasGeo
	}
	d.From = [2]string{p.author.id, strings.ToLower(p.author.username)}
	d.Lang = p.lang
	d.Conversation = strconv.FormatUint(p.conversation, 10)
	d.Flags |= p.kind
	if p.kind&rulelang.IsReply != 0 {
		d.To = [2]string{p.ref.author.id, strings.ToLower(p.ref.author.username)}
	}
	if p.author.verified {
		d.Flags |= rulelang.IsVerified
	}
	for _, l := range p.links {
		d.URLs = append(d.URLs, strings.ToLower(l.long))
	}
	for _, m := range p.media {
		d.Flags |= rulelang.HasMedia
		if m.video {
			d.Flags |= rulelang.HasVideos
		} else {
			d.Flags |= rulelang.HasImages
		}
	}
	return d
}

const (
	shortText  = 280 // characters; more goes into note_tweet
	repostText = 140
)

// shown is the field text, which X cuts.
func (p *post) shown() string {
	limit, end := shortText, "…"
	if p.kind&rulelang.IsRetweet != 0 {
		limit = repostText
	}
	if utf8.RuneCountInString(p.text) <= limit {
		return p.text
	}
	n := rulelang.Prefix(p.text, limit-1, func(rune) bool { return true })
	return p.text[:n] + end
}
