package redact_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tweetstream-go/tweetstream/internal/redact"
)

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"dial tcp 127.0.0.1:5432: connect: connection refused":          "dial tcp 127.0.0.1:5432: connect: connection refused",
		`Post "https://user:hunter2@example.com/hook?key=hunter2": EOF`: `Post "https://example.com/hook": EOF`,
		"postgres://me:hunter2@db/posts?sslmode=disable":                "postgres://me@db/posts",
		"Authorization: Bearer hunter2 was refused":                     "Authorization: Bearer […] was refused",
		"password=hunter2 host=db":                                      "password=[…] host=db",
		`{"token":"hunter2"}`:                                           `{"token":"[…]"}`,
		"AAAA-my-own-secret is wrong":                                   "[…] is wrong",
		"line one\nline two \x1b[31mred\u202e":                          `line one\nline two \x1b[31mred\u202e`,
		"bad byte \xff":                                                 `bad byte \ufffd`,
	} {
		got := redact.Text(in, "AAAA-my-own-secret", "")
		if strings.Contains(got, "hunter2") {
			t.Errorf("Text(%q) = %q, which holds the secret", in, got)
		}
		// Of credentials the user's name is taken out too.
		if want = strings.Replace(want, "me@", "", 1); got != want {
			t.Errorf("Text(%q) = %q, want %q", in, got, want)
		}
	}
	if got := redact.Text(strings.Repeat("é", 1000)); len(got) > redact.Max+len("…") {
		t.Errorf("Text of 2,000 bytes has %d", len(got))
	}
}

func TestPosts(t *testing.T) {
	long := []byte(`{"data":{"id":"1626483873659092992","text":"a canary sings: \"tra-la\", caf\u00e9 \ud83d\udc26\nloudly \u6771\u4eac\u30bf\u30ef\u30fc\u306e\u5c55\u671b\u53f0\u304b\u3089"}}`)
	short := []byte(`{"data":{"id":"1","text":"tiny fly"}}`)
	digits := []byte(`{"data":{"id":"1","text":"call 0"},"includes":{"posts":[{"text":"0123456789012"}]}}`)
	control := []byte(`{"data":{"id":"1","text":"a ca\u0001nary\u001b sin\udb40\udc67gs"}}`)
	for in, want := range map[string]string{
		"can't dial 0123456789012":                                  "can't dial […]",
		"bad a ca\x01nary\x1b sin\U000e0067gs!":                     "bad […]!",
		`bad "a ca\x01nary\x1b sin\U000e0067gs"`:                    `bad "[…]"`,
		`bad \xe6\x9d\xb1京タワーの展望台から`:                                "bad […]",
		"dial tcp: connection refused":                              "dial tcp: connection refused",
		"tweet 1626483873659092992 is refused":                      "tweet 1626483873659092992 is refused",
		"value 'a canary sings: \"tra-la\", café' is too long":      "value '[…]' is too long",
		`row ("a canary sings: \"tra-la\", café 🐦\nloudly") failed`: `row ("[…]") failed`,
		fmt.Sprintf("bad %+q", "東京タワーの展望台から"):                       `bad "[…]"`,
		"bad 東京タワーの展望台から":                                           "bad […]",
		"syntax error near A CANARY SINGS":                          "syntax error near […]",
		"refused: TINY FLY!":                                        "refused: […]!",
		"":                                                          "",
	} {
		if got := redact.Posts(in, long, short, digits, control); got != want {
			t.Errorf("Posts(%q) = %q, want %q", in, got, want)
		}
	}
}

// A text that repeats itself is quickly taken out, however many Posts have it: each of
// its runs in the one would else be looked at for each in the others.
func TestPostsOfOneWord(t *testing.T) {
	laugh := strings.Repeat("ha", 9_000)
	messages := make([][]byte, 500)
	for i := range messages {
		messages[i] = []byte(`{"data":{"id":"1","text":"` + laugh + `"}}`)
	}
	if got, want := redact.Posts("bad "+laugh, messages...), "bad […]"; got != want {
		t.Errorf("Posts() = %q, want %q", got, want)
	}
}

func FuzzPosts(f *testing.F) {
	f.Add("error: a canary sings", []byte(`{"data":{"text":"a canary sings"}}`))
	f.Add(`\u00e9\`, []byte(`\ud83d\u`))
	f.Fuzz(func(t *testing.T, s string, m []byte) {
		redact.Text(redact.Posts(s, m))
	})
}
