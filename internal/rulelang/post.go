package rulelang

import (
	"encoding/json"
	"strings"
)

// post is what rules look at in a Post, as X sends it.
type post struct {
	ID           string `json:"id"`
	Text         string `json:"text"`
	Lang         string `json:"lang"`
	AuthorID     string `json:"author_id"`
	Conversation string `json:"conversation_id"`
	ReplyTo      string `json:"in_reply_to_user_id"`
	Note         *note  `json:"note_tweet"`
	NotePost     *note  `json:"note_post"`
	Entities     struct {
		URLs []struct {
			URL      string `json:"url"`
			Expanded string `json:"expanded_url"`
			Unwound  string `json:"unwound_url"`
		} `json:"urls"`
	} `json:"entities"`
	Geo            json.RawMessage `json:"geo"`
	Referenced     []reference     `json:"referenced_tweets"`
	ReferencedPost []reference     `json:"referenced_posts"`
}

type note struct {
	Text string `json:"text"`
}

type reference struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

func (p *post) full() string {
	for _, n := range []*note{p.Note, p.NotePost} {
		if n != nil && n.Text != "" {
			return n.Text
		}
	}
	return p.Text
}

// PostDoc reads what rules look at from the members "data" and "includes" of a
// message; includes may be nil. Of a repost it takes the text reposted, where
// that is included.
func PostDoc(data, includes []byte) (*Doc, error) {
	var p post
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, err
	}
	var inc struct {
		Users []struct {
			ID       string `json:"id"`
			Username string `json:"username"`
			Verified bool   `json:"verified"`
		} `json:"users"`
		Media []struct {
			Type string `json:"type"`
		} `json:"media"`
		Tweets []post `json:"tweets"`
		Posts  []post `json:"posts"`
	}
	_ = json.Unmarshal(includes, &inc) // what can't be read is not looked at

	flags := Flag(0)
	text := p.full()
	for _, r := range append(p.Referenced, p.ReferencedPost...) {
		flags |= map[string]Flag{"retweeted": IsRetweet, "reposted": IsRetweet, "replied_to": IsReply, "quoted": IsQuote}[r.Type]
		for _, t := range append(inc.Tweets, inc.Posts...) {
			if t.ID == r.ID && (r.Type == "retweeted" || r.Type == "reposted") {
				text += "\n" + t.full() // p's own is a part of it, behind "RT @name:"
			}
		}
	}
	d := NewDoc(text, FindEntities(text))
	d.Flags |= flags
	d.Lang, d.Conversation = strings.ToLower(p.Lang), p.Conversation
	d.From[0], d.To[0], d.ID = p.AuthorID, p.ReplyTo, p.ID
	if len(p.Geo) > 0 && string(p.Geo) != "null" {
		d.Flags |= HasGeo
	}
	for _, u := range p.Entities.URLs {
		d.Flags |= HasLinks
		d.URLs = append(d.URLs, strings.ToLower(u.URL), strings.ToLower(u.Expanded), strings.ToLower(u.Unwound))
	}
	for _, u := range inc.Users {
		if u.ID == d.From[0] {
			d.From[1] = strings.ToLower(u.Username)
			if u.Verified {
				d.Flags |= IsVerified
			}
		}
		if u.ID == d.To[0] {
			d.To[1] = strings.ToLower(u.Username)
		}
	}
	for _, m := range inc.Media {
		d.Flags |= HasMedia
		if m.Type == "photo" {
			d.Flags |= HasImages
		} else {
			d.Flags |= HasVideos
		}
	}
	return d, nil
}
