package tweetstream

import (
	"cmp"
	"errors"
	"slices"
	"time"
	"unicode/utf8"
)

var errNoData = errors.New("message has no data object")

// decodeContent decodes a message. Its error never holds a part of it.
//
// It goes by way of objects, not structs: a field of a wrong type is then the
// matter of the one line that asks for it, a field may have two names, and keys
// are exact, while encoding/json would take "ID" for a struct's "id".
func decodeContent(raw []byte) (*Content, error) {
	p := parsers.Get().(*parser)
	defer p.free()
	m, ok := p.parse(raw)
	if !ok {
		return nil, errNoJSON
	}
	at := m.at("data")
	if at.kind != isObject {
		return nil, errNoData
	}
	data := object(at.fields)

	users := all(m.object("includes").objects("users"), decodeUser)
	in := newIncludes(m.object("includes"), users)
	c := in.post(data)
	in.resolve(c)
	c.Users = users
	c.PartialErrors = all(m.objects("errors"), decodePartialError)
	return c, nil
}

// includes is what X sent along with a Post, by id. All but the Posts is
// decoded once, however often a hostile message refers to it.
type includes struct {
	users  map[string]User
	media  map[string]Media
	places map[string]Place
	polls  map[string]Poll
	posts  map[string]object
}

func newIncludes(o object, users []User) *includes {
	return &includes{
		users:  index(users, func(u User) string { return u.ID }),
		media:  index(all(o.objects("media"), decodeMedia), func(m Media) string { return m.Key }),
		places: index(all(o.objects("places"), decodePlace), func(p Place) string { return p.ID }),
		polls:  index(all(o.objects("polls"), decodePoll), func(p Poll) string { return p.ID }),
		posts:  index(o.objects("tweets", "posts"), func(o object) string { return o.string("id") }),
	}
}

// post decodes a Post, the main one or one of the includes, but for the Posts
// that it refers to.
func (in *includes) post(o object) *Content {
	metrics := o.object("public_metrics")
	edit := o.object("edit_controls")
	c := &Content{
		ID:              o.string("id"),
		Text:            o.string("text"),
		Lang:            o.string("lang"),
		CreatedAt:       o.time("created_at"),
		AuthorID:        o.string("author_id"),
		ConversationID:  o.string("conversation_id"),
		InReplyToUserID: o.string("in_reply_to_user_id"),
		References:      all(o.objects("referenced_tweets", "referenced_posts"), decodeReference),
		Replies:         metrics.count("reply_count"),
		Reposts:         metrics.count("retweet_count", "repost_count"),
		Likes:           metrics.count("like_count"),
		Quotes:          metrics.count("quote_count"),
		Bookmarks:       metrics.count("bookmark_count"),
		Impressions:     metrics.count("impression_count"),
		Sensitive:       o.bool("possibly_sensitive"),
		ReplySettings:   o.string("reply_settings"),
		Source:          o.string("source"),
		EditHistory:     o.strings("edit_history_tweet_ids", "edit_history_post_ids"),
		EditEligible:    edit.bool("is_edit_eligible"),
		EditableUntil:   edit.time("editable_until"),
		EditsRemaining:  edit.int("edits_remaining"),
		Withheld:        decodeWithheld(o.object("withheld")),
		Annotations:     all(o.objects("context_annotations"), decodeAnnotation),
	}
	c.Author = in.users[c.AuthorID]

	// The entities of a long Post stand twice: those beside the text that is
	// cut, and those that go with the whole one.
	c.FullText = c.Text
	entities := o.object("entities")
	if note := o.object("note_tweet", "note_post"); note.string("text") != "" {
		c.FullText = note.string("text")
		entities = note.object("entities")
	}
	c.Entities = decodeEntities(entities, c.FullText)

	attached := o.object("attachments")
	keys := attached.strings("media_keys")
	c.Media = slices.Grow(c.Media, len(keys))
	for _, key := range keys {
		m, ok := in.media[key]
		if !ok {
			m.Key = key
		}
		c.Media = append(c.Media, m)
	}
	if ids := attached.strings("poll_ids"); len(ids) > 0 {
		c.Poll = in.polls[ids[0]]
		c.Poll.ID = ids[0]
	}
	geo := o.object("geo")
	if id := geo.string("place_id"); id != "" {
		c.Place = in.places[id]
		c.Place.ID = id
	}
	if at := geo.object("coordinates").floats("coordinates"); len(at) == 2 {
		c.Place.Longitude, c.Place.Latitude = at[0], at[1]
	}
	return c
}

// resolve finds the Posts that c refers to. It goes one level deep: X sends no
// more, and Posts that refer to each other do no harm.
func (in *includes) resolve(c *Content) {
	found := make(map[string]*Content)
	for i := range c.References {
		ref := &c.References[i]
		if o, ok := in.posts[ref.ID]; ok && found[ref.ID] == nil {
			found[ref.ID] = in.post(o)
		}
		ref.Post = found[ref.ID]
	}
	if original := c.Original(); original != c {
		c.FullText, c.Entities = original.FullText, original.Entities
		if len(c.Media) == 0 {
			c.Media = original.Media
		}
	}
}

func decodeReference(o object) Reference {
	return Reference{Type: o.string("type"), ID: o.string("id")}
}

// decodeEntities returns the entities of text in the order of their places.
func decodeEntities(o object, text string) []Entity {
	var entities []Entity
	length := int64(utf8.RuneCountInString(text))
	for _, kind := range [...]struct{ name, list, text string }{
		{"url", "urls", "display_url"},
		{"mention", "mentions", "username"},
		{"hashtag", "hashtags", "tag"},
		{"cashtag", "cashtags", "tag"},
	} {
		list := o.objects(kind.list)
		entities = slices.Grow(entities, len(list))
		for _, o := range list {
			e := Entity{
				Type:        kind.name,
				Text:        o.string(kind.text),
				URL:         o.string("url"),
				ExpandedURL: o.string("expanded_url"),
				UnwoundURL:  o.string("unwound_url"),
				Title:       o.string("title"),
				Description: o.string("description"),
				MediaKey:    o.string("media_key"),
			}
			if kind.name == "mention" {
				e.UserID = o.string("id")
			}
			start, ok := o.number("start")
			if end := o.count("end"); ok && start < end && end <= length {
				e.Start, e.End = int(start), int(end)
			}
			entities = append(entities, e)
		}
	}
	slices.SortStableFunc(entities, func(a, b Entity) int { return cmp.Compare(a.Start, b.Start) })
	return entities
}

func decodeUser(o object) User {
	metrics := o.object("public_metrics")
	return User{
		ID:              o.string("id"),
		Name:            o.string("name"),
		Username:        o.string("username"),
		CreatedAt:       o.time("created_at"),
		Description:     o.string("description"),
		Location:        o.string("location"),
		URL:             o.string("url"),
		ProfileImageURL: o.string("profile_image_url"),
		PinnedPostID:    o.string("pinned_tweet_id", "pinned_post_id"),
		Protected:       o.bool("protected"),
		Verified:        o.bool("verified"),
		VerifiedType:    o.string("verified_type"),
		Followers:       metrics.count("followers_count"),
		Following:       metrics.count("following_count"),
		Listed:          metrics.count("listed_count"),
		Posts:           metrics.count("tweet_count", "post_count"),
		Withheld:        decodeWithheld(o.object("withheld")),
	}
}

func decodeMedia(o object) Media {
	return Media{
		Key:             o.string("media_key"),
		Type:            o.string("type"),
		URL:             o.string("url"),
		PreviewImageURL: o.string("preview_image_url"),
		AltText:         o.string("alt_text"),
		Width:           o.int("width"),
		Height:          o.int("height"),
		Duration:        o.duration("duration_ms", time.Millisecond),
		Views:           o.object("public_metrics").count("view_count"),
		Variants:        all(o.objects("variants"), decodeVariant),
	}
}

func decodeVariant(o object) Variant {
	return Variant{URL: o.string("url"), ContentType: o.string("content_type"), BitRate: o.int("bit_rate")}
}

func decodePlace(o object) Place {
	p := Place{
		ID:          o.string("id"),
		Type:        o.string("place_type"),
		Name:        o.string("name"),
		FullName:    o.string("full_name"),
		Country:     o.string("country"),
		CountryCode: o.string("country_code"),
	}
	if box := o.object("geo").floats("bbox"); len(box) == len(p.Box) {
		p.Box = [4]float64(box)
	}
	return p
}

func decodePoll(o object) Poll {
	options := o.objects("options")
	slices.SortStableFunc(options, func(a, b object) int {
		return cmp.Compare(a.count("position"), b.count("position"))
	})
	return Poll{
		ID:       o.string("id"),
		Options:  all(options, decodePollOption),
		Status:   o.string("voting_status"),
		EndsAt:   o.time("end_datetime"),
		Duration: o.duration("duration_minutes", time.Minute),
	}
}

func decodePollOption(o object) PollOption {
	return PollOption{Label: o.string("label"), Votes: o.count("votes")}
}

func decodeAnnotation(o object) Annotation {
	domain, entity := o.object("domain"), o.object("entity")
	return Annotation{
		DomainID:   domain.string("id"),
		DomainName: domain.string("name"),
		EntityID:   entity.string("id"),
		EntityName: entity.string("name"),
	}
}

func decodeWithheld(o object) Withheld {
	return Withheld{
		Countries: o.strings("country_codes"),
		Scope:     o.string("scope"),
		Copyright: o.bool("copyright"),
	}
}

func decodePartialError(o object) PartialError {
	return PartialError{
		Title:        o.string("title"),
		Detail:       o.string("detail"),
		Type:         o.string("type"),
		Parameter:    o.string("parameter"),
		ResourceType: o.string("resource_type"),
		ResourceID:   o.string("resource_id"),
	}
}

// all decodes each of objects; nil if there are none.
func all[T any](objects []object, decode func(object) T) []T {
	if len(objects) == 0 {
		return nil
	}
	list := make([]T, len(objects))
	for i, o := range objects {
		list[i] = decode(o)
	}
	return list
}

// index returns the members of list by id. Of several with one id the first
// counts, and those without one are left out.
func index[T any](list []T, id func(T) string) map[string]T {
	if len(list) == 0 {
		return nil
	}
	byID := make(map[string]T, len(list))
	for _, v := range list {
		if id := id(v); id != "" {
			if _, ok := byID[id]; !ok {
				byID[id] = v
			}
		}
	}
	return byID
}
