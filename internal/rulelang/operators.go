package rulelang

import (
	"slices"
	"strings"
)

// operator is what X's lists say of one
// (https://docs.x.com/x-api/posts/filtered-stream/integrate/operators and
// https://docs.x.com/x-api/posts/search/integrate/operators, August 2026).
type operator struct {
	stream, search bool
	alone          bool              // it can stand alone; where the list says nothing, X is left to say so
	positive       bool              // it can't be negated
	value          func(string) bool // what its value may be; nil if it is not known here what it matches
}

// operators are those of X's lists by name: "#", "@" and "$", and what stands
// before a colon.
var operators = map[string]operator{
	"#":               {stream: true, search: true, alone: true, value: isText},
	"@":               {stream: true, search: true, alone: true, value: isText},
	"$":               {stream: true, search: true, alone: true, value: isText},
	"from":            {stream: true, search: true, alone: true, value: isAccount},
	"to":              {stream: true, search: true, alone: true, value: isAccount},
	"url":             {stream: true, search: true, alone: true, value: isText},
	"conversation_id": {stream: true, search: true, alone: true, value: isDigits},
	"lang":            {stream: true, search: true, value: isLanguage},
	"is":              {stream: true, search: true, value: oneOf("retweet", "reply", "quote", "verified", "nullcast")},
	"has": {stream: true, search: true, value: oneOf("media", "images", "videos", "video_link", "links", "hashtags",
		"mentions", "cashtags", "geo")},
	"sample": {stream: true, positive: true, value: isPercent},

	"retweets_of":          {stream: true, search: true, alone: true},
	"context":              {stream: true, search: true, alone: true},
	"entity":               {stream: true, search: true, alone: true},
	"place":                {stream: true, search: true, alone: true},
	"place_country":        {stream: true, search: true, alone: true},
	"point_radius":         {stream: true, search: true, alone: true},
	"bounding_box":         {stream: true, search: true, alone: true},
	"in_reply_to_tweet_id": {stream: true, search: true, alone: true},
	"retweets_of_tweet_id": {stream: true, search: true, alone: true},

	"from_affiliate_of":   {stream: true, alone: true},
	"to_affiliate_of":     {stream: true, alone: true},
	"bio":                 {stream: true, alone: true},
	"bio_name":            {stream: true, alone: true},
	"bio_location":        {stream: true, alone: true},
	"url_title":           {stream: true, alone: true},
	"url_description":     {stream: true, alone: true},
	"url_contains":        {stream: true, alone: true},
	"source":              {stream: true, alone: true},
	"min_followers":       {stream: true, alone: true},
	"followers_count":     {stream: true, alone: true},
	"tweets_count":        {stream: true, alone: true},
	"following_count":     {stream: true, alone: true},
	"listed_count":        {stream: true, alone: true},
	"embedding":           {stream: true, alone: true, positive: true},
	"embedding_threshold": {stream: true},

	"list":               {search: true, alone: true},
	"quotes_of_tweet_id": {search: true, alone: true},
	"min_likes":          {search: true, alone: true},
	"min_replies":        {search: true, alone: true},
	"min_reposts":        {search: true, alone: true},
}

// ParseQuery is Parse for what search is asked, which does not know all operators
// of the stream.
func ParseQuery(value string) (*Node, error) {
	n, err := Parse(value)
	if err != nil {
		return nil, err
	}
	if bad := n.find(func(n *Node) bool { return n.Kind == Operator && !operators[n.Op].search }); bad != nil {
		p := parser{in: []rune(value)}
		return nil, p.invalid(bad.Op, bad.Pos)
	}
	return n, nil
}

// Unsearchable returns what of a rule search does not know, such as "sample:". It
// is empty if nothing is known against it.
func Unsearchable(value string) string {
	n := lenient(value)
	if n == nil {
		return ""
	}
	bad := n.find(func(n *Node) bool {
		o, known := operators[n.Op]
		return n.near || n.Kind == Operator && known && !o.search
	})
	switch {
	case bad == nil:
		return ""
	case bad.near:
		return `"…"~N`
	}
	return bad.Op + ":"
}

// Excludes reports whether a rule matches no Post that has the flag, as far as
// its operators say so: "cats -is:retweet" excludes IsRetweet.
func Excludes(value string, f Flag) bool {
	n := lenient(value)
	return n != nil && n.excludes(f)
}

func (n *Node) excludes(f Flag) bool {
	switch n.Kind {
	case And:
		return slices.ContainsFunc(n.Children, func(c *Node) bool { return c.excludes(f) })
	case Or:
		return !slices.ContainsFunc(n.Children, func(c *Node) bool { return !c.excludes(f) })
	case Not:
		return n.Children[0].follows(f)
	}
	return false
}

// follows reports whether each Post that has the flag matches.
func (n *Node) follows(f Flag) bool {
	switch n.Kind {
	case And:
		return !slices.ContainsFunc(n.Children, func(c *Node) bool { return !c.follows(f) })
	case Or:
		return slices.ContainsFunc(n.Children, func(c *Node) bool { return c.follows(f) })
	case Operator:
		return Flags[n.Op+":"+n.Folded] == f
	}
	return false
}

// lenient reads a rule as Check does; nil if it is no rule.
func lenient(value string) *Node {
	p := parser{in: []rune(value), lenient: true}
	n, err := p.rule(value)
	if err != nil {
		return nil
	}
	return n
}

// find returns the first part for which f holds, nil if there is none.
func (n *Node) find(f func(*Node) bool) *Node {
	if f(n) {
		return n
	}
	for _, c := range n.Children {
		if found := c.find(f); found != nil {
			return found
		}
	}
	return nil
}

func oneOf(values ...string) func(string) bool {
	return func(v string) bool { return slices.Contains(values, v) }
}

func isText(v string) bool { return v != "" }

func isDigits(v string) bool {
	return v != "" && strings.Trim(v, "0123456789") == ""
}

func isPercent(v string) bool {
	return isDigits(v) && v[0] != '0' && (len(v) < 3 || v == "100")
}

func isAccount(v string) bool {
	return v != "" && len(v) <= 20 && strings.Trim(v, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

func isLanguage(v string) bool {
	main, region, _ := strings.Cut(v, "-")
	return len(main) >= 2 && len(main) <= 3 && strings.Trim(v, "abcdefghijklmnopqrstuvwxyz-") == "" && len(region) <= 4
}
