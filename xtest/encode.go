package xtest

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tweetstream-go/tweetstream/internal/rulelang"
)

// encode writes the message as the sampled stream sends it; data, includes and
// fault are parts of it.
func (p *post) encode() (message, data, includes, fault []byte) {
	b := make([]byte, 0, 4096)
	b = append(b, `{"data":`...)
	start := len(b)
	b = p.appendTweet(b)
	end := len(b)
	b = append(b, `,"includes":`...)
	inc := len(b)
	b = p.appendIncludes(b)
	incEnd := len(b)
	if p.refMissing {
		id := strconv.FormatUint(p.ref.id, 10)
		begin := len(b) + len(`,"errors":[`)
		b = append(b, `,"errors":[{"value":"`+id+`","detail":"Could not find tweet with referenced_tweets.id: [`+id+
			`].","title":"Not Found Error","resource_type":"tweet","parameter":"referenced_tweets.id","resource_id":"`+id+
			`","type":"`+problemHost+`resource-not-found"}]`...)
		fault = b[begin : len(b)-1 : len(b)-1]
	}
	b = append(b, '}')
	return b, b[start:end:end], b[inc:incEnd:incEnd], fault
}

// layouts are orders of keys, as X varies them. Ids of other things come before
// the Post's own.
var layouts = [][]string{
	{"attachments", "author_id", "context_annotations", "conversation_id", "created_at", "edit_controls", "edit_history_tweet_ids",
		"entities", "geo", "id", "in_reply_to_user_id", "lang", "note_tweet", "possibly_sensitive", "public_metrics",
		"referenced_tweets", "reply_settings", "source", "text", "withheld"},
	{"context_annotations", "entities", "author_id", "text", "note_tweet", "attachments", "referenced_tweets", "geo", "reply_settings",
		"conversation_id", "possibly_sensitive", "source", "public_metrics", "withheld", "edit_controls", "in_reply_to_user_id",
		"edit_history_tweet_ids", "lang", "id", "created_at"},
	{"edit_history_tweet_ids", "text", "edit_controls", "conversation_id", "lang", "entities", "context_annotations", "withheld",
		"possibly_sensitive", "author_id", "attachments", "geo", "reply_settings", "referenced_tweets", "in_reply_to_user_id", "note_tweet",
		"id", "source", "created_at", "public_metrics"},
}

func (p *post) appendTweet(b []byte) []byte {
	start := len(b)
	for _, name := range layouts[p.layout] {
		before := len(b)
		b = append(b, ',', '"')
		b = append(append(b, name...), '"', ':')
		empty := len(b)
		if b = p.appendField(b, name); len(b) == empty {
			b = b[:before]
		}
	}
	b[start] = '{'
	return append(b, '}')
}

// appendField appends the value of one field, nothing if the Post has none.
func (p *post) appendField(b []byte, name string) []byte {
	number := func(key string, n int) {
		b = append(b, '"')
		b = append(append(b, key...), '"', ':')
		b = append(strconv.AppendInt(b, int64(n), 10), ',')
	}
	switch name {
	case "id":
		return appendID(b, p.id)
	case "conversation_id":
		return appendID(b, p.conversation)
	case "author_id":
		return appendString(b, p.author.id, false)
	case "created_at":
		return appendTime(b, p.at)
	case "lang":
		return appendString(b, p.lang, false)
	case "text":
		return appendString(b, p.shown(), p.ascii)
	case "note_tweet":
		if p.kind&rulelang.IsRetweet != 0 || utf8.RuneCountInString(p.text) <= shortText {
			return b
		}
		b = append(b, `{"text":`...)
		b = appendString(b, p.text, p.ascii)
		if e := p.appendEntities(nil, p.text); len(e) > 0 {
			b = append(append(b, `,"entities":`...), e...)
		}
		return append(b, '}')
	case "entities":
		return p.appendEntities(b, p.shown())
	case "possibly_sensitive":
		return strconv.AppendBool(b, p.sensitive)
	case "reply_settings":
		return append(b, `"everyone"`...)
	case "source":
		return appendString(b, sources[int(p.id>>22)%len(sources)], false)
	case "public_metrics":
		n := 0
		if p.at.Before(snowflakeTime(p.id)) || p.id&(0x3ff<<12) == pastWorker {
			n = int(p.id % 977)
		}
		b = append(b, '{')
		number("retweet_count", n/9)
		number("reply_count", n/30)
		number("like_count", n)
		number("quote_count", n/70)
		number("bookmark_count", n/50)
		number("impression_count", n*113)
		b[len(b)-1] = '}'
		return b
	case "edit_history_tweet_ids":
		b = append(b, '[')
		if p.edited != 0 {
			b = append(appendID(b, p.edited), ',')
		}
		return append(appendID(b, p.id), ']')
	case "edit_controls":
		b = append(b, `{"edits_remaining":5,"is_edit_eligible":`...)
		b = strconv.AppendBool(b, p.kind&rulelang.IsRetweet == 0)
		b = append(b, `,"editable_until":`...)
		return append(appendTime(b, p.at.Add(time.Hour)), '}')
	case "referenced_tweets":
		if p.ref == nil {
			return b
		}
		kind := map[rulelang.Flag]string{rulelang.IsRetweet: "retweeted", rulelang.IsReply: "replied_to", rulelang.IsQuote: "quoted"}[p.kind]
		b = append(b, `[{"type":"`+kind+`","id":`...)
		return append(appendID(b, p.ref.id), '}', ']')
	case "in_reply_to_user_id":
		if p.kind&rulelang.IsReply != 0 {
			b = appendString(b, p.ref.author.id, false)
		}
	case "attachments":
		return p.appendAttachments(b)
	case "geo":
		if p.place {
			b = append(b, `{"place_id":"01fa0de1cafe0001"}`...)
		}
	case "withheld":
		if p.withheld {
			b = append(b, `{"copyright":false,"country_codes":["XX","XY"]}`...)
		}
	case "context_annotations":
		for i, a := range p.annotations {
			b = append(b, "[,"[min(i, 1)])
			b = append(b, `{"domain":{"id":"`+a.domainID+`","name":`...)
			b = append(appendString(b, a.domain, false), `,"description":`...)
			b = append(appendString(b, a.description, false), `},"entity":{"id":"`+a.entityID+`","name":`...)
			b = append(appendString(b, a.entity, false), '}', '}')
		}
		if len(p.annotations) > 0 {
			b = append(b, ']')
		}
	}
	return b
}

func (p *post) appendAttachments(b []byte) []byte {
	if len(p.media) == 0 && !p.poll {
		return b
	}
	b = append(b, '{')
	if p.poll {
		b = append(b, `"poll_ids":[`...)
		b = append(appendID(b, p.id-1<<22), "],"...)
	}
	if len(p.media) > 0 {
		b = append(b, `"media_keys":[`...)
		for _, m := range p.media {
			b = append(b, `"`+m.key+`",`...)
		}
		b[len(b)-1] = ']'
		b = append(b, ',')
	}
	b[len(b)-1] = '}'
	return b
}

// appendEntities appends the entities of a text, nothing if it has none.
func (p *post) appendEntities(b []byte, text string) []byte {
	found := rulelang.FindEntities(text)
	start := len(b)
	for _, kind := range []struct {
		sign byte
		name string
	}{{'@', "mentions"}, {'#', "hashtags"}, {'u', "urls"}, {'$', "cashtags"}} {
		n := 0
		for _, e := range found {
			if e.Kind != kind.sign || e.Kind == 'u' && p.linkOf(e.Text) == nil {
				continue
			}
			if n++; n == 1 {
				b = append(b, `,"`+kind.name+`":[`...)
			}
			b = append(b, `{"start":`...)
			b = append(strconv.AppendInt(b, int64(e.Start), 10), `,"end":`...)
			b = append(strconv.AppendInt(b, int64(e.End), 10), ',')
			b = append(p.appendEntity(b, e), '}', ',')
		}
		if n > 0 {
			b[len(b)-1] = ']'
		}
	}
	if len(b) == start {
		return b
	}
	b[start] = '{'
	return append(b, '}')
}

func (p *post) linkOf(short string) *link {
	for i := range p.links {
		if p.links[i].short == short {
			return &p.links[i]
		}
	}
	return nil
}

func (p *post) appendEntity(b []byte, e rulelang.Entity) []byte {
	switch e.Kind {
	case '@':
		b = appendString(append(b, `"username":`...), e.Text, false)
		for _, u := range p.mentioned {
			if strings.EqualFold(u.username, e.Text) {
				return appendString(append(b, `,"id":`...), u.id, false)
			}
		}
		return b
	case 'u':
		l := p.linkOf(e.Text)
		display := strings.TrimPrefix(strings.TrimPrefix(l.long, "https://"), "http://")
		if l.media != "" {
			display = "pic.twitter.com/" + strings.TrimPrefix(l.short, rulelang.ShortLink)
		} else if n := rulelang.Prefix(display, 26, func(rune) bool { return true }); n < len(display) {
			display = display[:n] + "…"
		}
		b = appendString(append(b, `"url":`...), l.short, p.ascii)
		b = appendString(append(b, `,"expanded_url":`...), l.long, p.ascii)
		b = appendString(append(b, `,"display_url":`...), display, p.ascii)
		if l.media != "" {
			return appendString(append(b, `,"media_key":`...), l.media, false)
		}
		if l.title != "" {
			b = append(b, `,"status":200,"title":`...)
			b = appendString(b, l.title, p.ascii)
			b = append(b, `,"unwound_url":`...)
			b = appendString(b, l.long, p.ascii)
		}
		return b
	}
	return appendString(append(b, `"tag":`...), e.Text, p.ascii)
}

// appendIncludes appends users, tweets, media, polls and places.
func (p *post) appendIncludes(b []byte) []byte {
	users := []*user{p.author}
	add := func(u *user) {
		if !slices.Contains(users, u) {
			users = append(users, u)
		}
	}
	all := p.media
	if p.ref != nil && !p.refMissing {
		add(p.ref.author)
		for _, u := range p.ref.mentioned {
			add(u)
		}
		if p.kind&rulelang.IsRetweet == 0 {
			all = slices.Concat(all, p.ref.media)
		}
	}
	for _, u := range p.mentioned {
		add(u)
	}
	b = append(b, `{"users":[`...)
	for _, u := range users {
		json := u.json[0]
		if p.ascii {
			json = u.json[1]
		}
		b = append(append(b, json...), ',')
	}
	b[len(b)-1] = ']'
	if p.ref != nil && !p.refMissing {
		b = append(b, `,"tweets":[`...)
		b = append(p.ref.appendTweet(b), ']')
	}
	if len(all) > 0 {
		b = append(b, `,"media":[`...)
		for _, m := range all {
			b = append(m.append(b, p.ascii), ',')
		}
		b[len(b)-1] = ']'
	}
	if p.poll {
		b = append(b, `,"polls":[{"id":`...)
		b = append(appendID(b, p.id-1<<22), `,"duration_minutes":1440,"voting_status":"open","end_datetime":`...)
		b = append(appendTime(b, p.at.Add(24*time.Hour)), `,"options":[{"position":1,"label":"yes","votes":0},{"position":2,"label":"\"no\"","votes":3}]}]`...)
	}
	if p.place {
		b = append(b, `,"places":[{"id":"01fa0de1cafe0001","full_name":"Upper Vellin, Lower Ara","name":"Upper Vellin","country":"Lower Ara","country_code":"XX","place_type":"city","geo":{"type":"Feature","bbox":[-30.5,10.25,-30.25,10.5],"properties":{}}}]`...)
	}
	return append(b, '}')
}

func (m media) append(b []byte, ascii bool) []byte {
	b = append(b, `{"media_key":"`+m.key+`","type":"`...)
	id := m.key[2:]
	if !m.video {
		b = append(b, `photo","url":"https://pbs.twimg.com/media/`+m.token+`.jpg"`...)
	} else {
		video := `"https://video.twimg.com/ext_tw_video/` + id + `/pu/vid/`
		b = append(b, `video","preview_image_url":"https://pbs.twimg.com/ext_tw_video_thumb/`+id+`/pu/img/`+m.token+`.jpg","duration_ms":`...)
		b = strconv.AppendInt(b, int64(m.duration), 10)
		b = append(b, `,"public_metrics":{"view_count":0},"variants":[{"bit_rate":2176000,"content_type":"video/mp4","url":`+
			video+`1280x720/`+m.token+`.mp4?tag=12"},{"content_type":"application/x-mpegURL","url":`+
			video+`pl/`+m.token+`.m3u8?tag=12&container=fmp4"}]`...)
	}
	b = strconv.AppendInt(append(b, `,"width":`...), int64(m.width), 10)
	b = strconv.AppendInt(append(b, `,"height":`...), int64(m.height), 10)
	if m.alt {
		b = appendString(append(b, `,"alt_text":`...), "a \"harbour\" <at> dawn 🌅", ascii)
	}
	return append(b, '}')
}

// encode writes the account as includes.users has it.
func (u *user) encode(r *rand.Rand, ascii bool) []byte {
	b := append([]byte(nil), `{"id":"`+u.id+`","username":`...)
	b = append(appendString(b, u.username, false), `,"name":`...)
	b = append(appendString(b, u.name, ascii), `,"created_at":`...)
	b = append(appendTime(b, time.UnixMilli(epoch+r.Int64N(4e11)).UTC()), `,"description":`...)
	b = appendString(b, "Notes on "+pick(r, subjects)+" & "+pick(r, subjects)+" "+pick(r, emoji)+" opinions are made up", ascii)
	if p := pick(r, places); p != "" {
		b = appendString(append(b, `,"location":`...), p, ascii)
	}
	b = append(b, `,"profile_image_url":"https://pbs.twimg.com/profile_images/`+u.id+`/`+strconv.FormatUint(r.Uint64N(1<<40), 36)+`_normal.jpg"`...)
	b = append(b, `,"protected":false,"verified":`...)
	b = strconv.AppendBool(b, u.verified)
	if u.verified {
		b = append(b, `,"verified_type":"`+pick(r, []string{"blue", "blue", "business", "government"})+`"`...)
	}
	b = append(b, `,"public_metrics":{"followers_count":`...)
	b = append(strconv.AppendInt(b, r.Int64N(90000), 10), `,"following_count":`...)
	b = append(strconv.AppendInt(b, r.Int64N(3000), 10), `,"tweet_count":`...)
	b = append(strconv.AppendInt(b, r.Int64N(50000), 10), `,"listed_count":`...)
	return append(strconv.AppendInt(b, r.Int64N(300), 10), "}}"...)
}

func appendID(b []byte, id uint64) []byte {
	return append(strconv.AppendUint(append(b, '"'), id, 10), '"')
}

func appendTime(b []byte, t time.Time) []byte {
	return append(t.UTC().AppendFormat(append(b, '"'), millis), '"')
}

// appendString appends s as a JSON string; with ascii nothing else is in it.
// Like X, and unlike encoding/json, it leaves <, > and & as they are.
func appendString(b []byte, s string, ascii bool) []byte {
	const hex = "0123456789abcdef"
	unit := func(b []byte, u rune) []byte {
		return append(b, '\\', 'u', hex[u>>12&15], hex[u>>8&15], hex[u>>4&15], hex[u&15])
	}
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '/' && ascii:
			b = append(b, '\\', '/')
		case r == '\n':
			b = append(b, '\\', 'n')
		case r < 0x20 || r == 0x7f:
			b = unit(b, r)
		case r < 0x80:
			b = append(b, byte(r))
		case !ascii:
			b = utf8.AppendRune(b, r)
		case r >= 0x10000:
			r -= 0x10000
			b = unit(unit(b, 0xD800+r>>10), 0xDC00+r&0x3FF)
		default:
			b = unit(b, r)
		}
	}
	return append(b, '"')
}
