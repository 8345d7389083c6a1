package tweetstream

import "time"

// Content is a decoded Post: what [Tweet.Content] returns. All sinks share it,
// and parts of it stand in more than one place, so treat it as read-only.
//
// X sends the fields and expansions that it was asked for, under names that it
// is changing (note_tweet and note_post, retweet_count and repost_count). Both
// spellings are read. A field that X did not send, or sent in a shape that
// nobody expects, has its zero value, and never costs the Post its other fields.
//
// Strings are as X sent them. Text has &, < and > written as &amp;, &lt; and
// &gt;; names, labels, titles and URLs are free text of strangers: escape them,
// and look at the scheme of a URL before it becomes a link.
type Content struct {
	ID string

	// Text is cut where the Post is longer than 280 characters; for a repost
	// it begins with "RT @name: " and is cut as well.
	Text string

	// FullText is the whole text: note_tweet's where there is one, else Text.
	// For a repost it is the original's, if X sent the original.
	FullText string

	// Entities are the links, mentions, hashtags and cashtags of FullText, not
	// of Text, in the order in which they stand.
	Entities []Entity

	Lang      string    // as X guessed it: a BCP 47 tag, "und" if it could not
	CreatedAt time.Time // UTC, in milliseconds

	// Author is found by AuthorID in what X sent along. It is zero if X did
	// not send it; AuthorID is set nevertheless.
	AuthorID string
	Author   User

	ConversationID  string // the id of the Post that began the thread
	InReplyToUserID string // whom the Post answers: a Post, or an @name at its start

	// References are the Posts that this one reposts, quotes or answers.
	References []Reference

	// Media are the attached photos and videos. For a repost that X sent
	// without them, they are the original's.
	Media []Media

	Poll  Poll  // its ID is empty if there is none
	Place Place // where its author says to be; zero if not told

	// How often others had answered, reposted, ... when X sent the Post: next
	// to never, on a live stream. A repost counts the original's reposts.
	Replies     int64
	Reposts     int64
	Likes       int64
	Quotes      int64
	Bookmarks   int64
	Impressions int64

	Sensitive     bool   // a link or media may be unfit for some (possibly_sensitive)
	ReplySettings string // who may answer: "everyone", "mentionedUsers", "following", ...
	Source        string // the app that posted it; X no longer sends it as a rule

	// EditHistory are the ids of all versions, oldest first, this Post's own
	// among them. A Post with more than one was edited; if any version is
	// deleted, all of them are.
	EditHistory    []string
	EditEligible   bool // it could be edited when it was posted
	EditableUntil  time.Time
	EditsRemaining int

	Withheld    Withheld
	Annotations []Annotation

	// Users are all users that X sent along: authors, mentioned, answered.
	// A Post out of References has none; they are here, with all others.
	Users []User

	// PartialErrors say what X could not send along, such as a quoted Post
	// that is deleted or protected. The Post itself is good. A Post out of
	// References has none.
	PartialErrors []PartialError
}

// IsRepost reports whether the Post is another's, passed on as it is.
func (c *Content) IsRepost() bool { return c.refers("retweeted") }

// IsQuote reports whether the Post shows another inside.
func (c *Content) IsQuote() bool { return c.refers("quoted") }

// IsReply reports whether the Post answers another, or begins with an @name,
// which X takes as an answer to that user.
func (c *Content) IsReply() bool {
	return c.refers("replied_to") || c.InReplyToUserID != "" && !c.IsRepost()
}

// Original returns the Post to show: for a repost the original, of which c's
// Author is the reposter, if X sent it; otherwise c. It is never nil.
func (c *Content) Original() *Content {
	for _, r := range c.References {
		if r.Type == "retweeted" && r.Post != nil {
			return r.Post
		}
	}
	return c
}

func (c *Content) refers(how string) bool {
	for _, r := range c.References {
		if r.Type == how {
			return true
		}
	}
	return false
}

// Reference is how a Post refers to another.
type Reference struct {
	Type string // "retweeted" (also for a repost), "quoted" or "replied_to"
	ID   string // the other Post's id

	// Post is the other Post, or nil if X did not send it, because it is
	// deleted or protected, or was not asked for. Its own References have no
	// Posts, so that no chain of them runs in a circle.
	Post *Content
}

// Entity is a part of a Post's FullText that is more than text.
//
// Start and End count Unicode code points, as X does, not bytes: the part is
// []rune(FullText)[Start:End]. They are always inside FullText, and Start is
// before End, or both are 0 if X sent no place that fits. Several entities may
// have the same place: X repeats a link for each of a Post's photos.
type Entity struct {
	Type       string // "url", "mention", "hashtag" or "cashtag"
	Start, End int

	Text   string // the name without @, the tag without # or $, a URL as it is to be shown
	UserID string // of a mention; X leaves it out at times

	// Of a URL.
	URL         string // the t.co address that stands in the text, and where a link must go
	ExpandedURL string // what the author wrote
	UnwoundURL  string // where it ends after all redirects
	Title       string // of the page
	Description string // of the page
	MediaKey    string // of the attached photo or video that the link stands for
}

// User is an account as it was when X sent the Post.
type User struct {
	ID       string
	Name     string // the display name; not unique
	Username string // the @name, without @; its owner can change it

	CreatedAt       time.Time // UTC
	Description     string    // the bio
	Location        string    // free text
	URL             string    // a t.co address
	ProfileImageURL string    // 48 pixels wide; X has other sizes under other suffixes than _normal
	PinnedPostID    string

	Protected    bool   // only followers see the Posts
	Verified     bool   // has a check mark
	VerifiedType string // its kind: "blue", "business", "government" or "none"

	Followers int64
	Following int64
	Listed    int64 // in how many lists
	Posts     int64 // with reposts

	Withheld Withheld
}

// Media is a photo, a video or an animated GIF of a Post. If X did not send
// more of it, it has only its Key.
type Media struct {
	Key  string // X's id of it
	Type string // "photo", "video" or "animated_gif"

	URL             string // of a photo
	PreviewImageURL string // a still of a video or an animated GIF
	AltText         string // the author's description for those who do not see it

	Width, Height int           // in pixels
	Duration      time.Duration // of a video
	Views         int64         // of a video
	Variants      []Variant     // the files of a video or an animated GIF, in no order
}

// Variant is one of the files of a video.
type Variant struct {
	URL         string
	ContentType string // "video/mp4", or "application/x-mpegURL" for a playlist
	BitRate     int    // in bits a second; 0 for a playlist
}

// Poll is a poll as it stood when X sent the Post. If X did not send more of
// it, it has only its ID.
type Poll struct {
	ID       string
	Options  []PollOption // in the order shown
	Status   string       // "open" or "closed"
	EndsAt   time.Time    // UTC
	Duration time.Duration
}

// PollOption is one of the answers of a Poll.
type PollOption struct {
	Label string
	Votes int64
}

// Place is where a Post's author says to be. If X did not send more of the
// place, it has only its ID.
type Place struct {
	ID          string
	Type        string // "country", "admin", "city", "neighborhood" or "poi"
	Name        string // "Manhattan"
	FullName    string // "Manhattan, NY"
	Country     string
	CountryCode string // ISO 3166-1 alpha-2

	Box [4]float64 // the place's west, south, east and north, in degrees

	// Longitude and Latitude are of the Post itself, in degrees. Few authors
	// let X tell them: both are 0 then, and ID may be empty if they do.
	Longitude, Latitude float64
}

// Annotation is a topic that X found in a Post.
type Annotation struct {
	DomainID   string
	DomainName string // the kind of thing: "Brand", "Sports Team"
	EntityID   string
	EntityName string // the thing
}

// Withheld says where a Post or a user must not be shown. It is zero for most.
type Withheld struct {
	Countries []string // ISO 3166-1 alpha-2; "XX" is everywhere, "XY" a copyright claim
	Scope     string   // what is withheld: "tweet" or "post", or its "user"
	Copyright bool     // because of a copyright claim
}

// PartialError is what X says of a thing that it could not send along.
type PartialError struct {
	Title        string // "Not Found Error", "Authorization Error"
	Detail       string // a sentence; it may quote ids and names
	Type         string // a URL; its host changes, its last path element does not
	Parameter    string // the expansion that asked for the thing: "referenced_tweets.id"
	ResourceType string // "tweet", "user", "media", ...
	ResourceID   string
}
