package webhook_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tweetstream-go/tweetstream/internal/webhook"
)

const (
	secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	other  = "whsec_" + "b3RoZXJvdGhlcm90aGVyb3RoZXJvdGhlcm90aGVy"
)

func keys(t testing.TB, texts ...string) webhook.Keys {
	t.Helper()
	k, err := webhook.Parse(texts...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// The values that the reference libraries have in their own tests.
func TestReferenceSignature(t *testing.T) {
	h := http.Header{}
	keys(t, secret).Sign(h, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": `), []byte(`2432232314}`))
	if got, want := h.Get("webhook-signature"), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("signature %s, want %s", got, want)
	}
	if h.Get("webhook-id") != "msg_p5jXN8AQM9LWM0D4loKWxJek" || h.Get("webhook-timestamp") != "1614265330" {
		t.Errorf("headers: %v", h)
	}
}

func TestVerify(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	body := []byte(`{"data":{"id":"1"}}`)
	set := func(name, value string) func(http.Header) { return func(h http.Header) { h.Set(name, value) } }
	for name, c := range map[string]struct {
		signer   string
		verifier string
		change   func(http.Header)
		body     string
		at       time.Duration
		want     error
	}{
		"as signed":                   {},
		"signed with two":             {signer: other + "\n" + secret},
		"verified with two":           {verifier: other + " " + secret},
		"another secret":              {signer: other, want: webhook.ErrMismatch},
		"another body":                {body: `{"data":{"id":"2"}}`, want: webhook.ErrMismatch},
		"another id":                  {change: set(webhook.ID, "2"), want: webhook.ErrMismatch},
		"another time":                {change: set(webhook.Timestamp, "1700000001"), want: webhook.ErrMismatch},
		"a zero before the time":      {change: set(webhook.Timestamp, "01700000000"), want: webhook.ErrMismatch},
		"no id":                       {change: func(h http.Header) { h.Del(webhook.ID) }, want: webhook.ErrUnsigned},
		"no time":                     {change: func(h http.Header) { h.Del(webhook.Timestamp) }, want: webhook.ErrUnsigned},
		"no signature":                {change: func(h http.Header) { h.Del(webhook.Signature) }, want: webhook.ErrUnsigned},
		"two ids":                     {change: func(h http.Header) { h.Add(webhook.ID, "2") }, want: webhook.ErrUnsigned},
		"a long id":                   {change: set(webhook.ID, strings.Repeat("1", 300)), want: webhook.ErrUnsigned},
		"a dot in the id":             {change: set(webhook.ID, "1.2"), want: webhook.ErrUnsigned},
		"time of another kind":        {change: set(webhook.Timestamp, "1.7e9"), want: webhook.ErrUnsigned},
		"another version":             {change: func(h http.Header) { h.Set(webhook.Signature, "v2"+h.Get(webhook.Signature)[2:]) }, want: webhook.ErrUnsigned},
		"others before it":            {change: func(h http.Header) { h.Set(webhook.Signature, "v1a,AAAA v1,AAAA  "+h.Get(webhook.Signature)) }},
		"hidden behind many":          {change: func(h http.Header) { h.Set(webhook.Signature, strings.Repeat("v1,AAAA ", 16)+h.Get(webhook.Signature)) }, want: webhook.ErrMismatch},
		"a part of it":                {change: func(h http.Header) { h.Set(webhook.Signature, "v1,"+h.Get(webhook.Signature)[3:7]) }, want: webhook.ErrMismatch},
		"five minutes old":            {at: -5 * time.Minute},
		"older":                       {at: -5*time.Minute - time.Second, want: webhook.ErrTime},
		"five minutes before its day": {at: 5 * time.Minute},
		"from a later day":            {at: 5*time.Minute + time.Second, want: webhook.ErrTime},
	} {
		t.Run(name, func(t *testing.T) {
			sign, verify, b := secret, secret, body
			if c.signer != "" {
				sign = c.signer
			}
			if c.verifier != "" {
				verify = c.verifier
			}
			if c.body != "" {
				b = []byte(c.body)
			}
			h := http.Header{}
			keys(t, sign).Sign(h, "1", now.Add(c.at), body)
			if c.change != nil {
				c.change(h)
			}
			if _, err := keys(t, verify).Verify(h, now, b); err != c.want {
				t.Errorf("Verify() = %v, want %v", err, c.want)
			}
		})
	}
}

func TestParse(t *testing.T) {
	const canary = "kanarienvogel"
	for text, want := range map[string]string{
		"":                                   "there is no secret",
		" \n":                                "there is no secret",
		secret:                               "",
		strings.TrimPrefix(secret, "whsec_"): "",
		secret + "\n" + other + "\n":         "",
		canary + "!":                         "secret 1 is not base64",
		secret + " " + canary + "!":          "secret 2 is not base64",
		"whsec_a2FuYXJpZW52b2dlbA==":         "secret 1 has 13 bytes, want 24 to 64",
		"whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 65)): "secret 1 has 65 bytes",
	} {
		k, err := webhook.Parse(text)
		if got := fmt.Sprint(err); want == "" && err != nil || !strings.Contains(got, want) || strings.Contains(got, "kanarien") || strings.Contains(got, "a2Fu") {
			t.Errorf("Parse(%q) = %v, want %q", text, err, want)
		}
		if shown := fmt.Sprintf("%v %+v %#v %s", k, k, k, k); strings.Contains(shown, "49") || strings.Contains(shown, "[") {
			t.Errorf("keys are shown: %s", shown)
		}
	}
}

func TestX(t *testing.T) {
	const legacy, oauth2 = "X-Twitter-Webhooks-Signature", "X-Twitter-Webhooks-Signature-Oauth2"
	// The inputs of X's examples, the old one and that of the quickstart, and what
	// "openssl dgst -sha256 -hmac SECRET -binary | base64" makes of them.
	for _, c := range [][3]string{
		{"z3ZX4v7mAAUGykl3EcmkqbartmuW8VFOOzCloLx9Q45P0hLrFu", "9b4507b3-9040-4669-9ca3-6b94edb50553", "sha256=Cytd4Sq+NvEcV3MMrXxWJGJx5A+y/lXzzU2Maartkx8="},
		{"your_consumer_secret_here", "challenge_string", "sha256=mchn+rKsGVnYHN/lGyanuEw6XariJ3D+ARDLDsd0dS0="},
	} {
		if got, err := webhook.NewX(c[0]).Challenge(c[1]); err != nil || got != c[2] {
			t.Errorf("Challenge(%s) = %s, %v, want %s", c[1], got, err, c[2])
		}
	}
	x := webhook.NewX("z3ZX4v7mAAUGykl3EcmkqbartmuW8VFOOzCloLx9Q45P0hLrFu")
	for _, token := range []string{"", `{"data":{"id":"1"}}`, "a b", "a\n", "[1]", "é", strings.Repeat("a", 257)} {
		if got, err := x.Challenge(token); err == nil {
			t.Errorf("Challenge(%.20q) = %s: anybody can have that signed", token, got)
		}
	}
	for value, want := range map[string]bool{
		"sha256=I4oCcLgKqyO5A55ZIQEW2dVXEHDGvUrsCHtjMnVcaTo=": true,
		"I4oCcLgKqyO5A55ZIQEW2dVXEHDGvUrsCHtjMnVcaTo=":        false,
		"sha256=":     false,
		"":            false,
		"sha256=I4oC": false,
		"sha256=Cytd4Sq+NvEcV3MMrXxWJGJx5A+y/lXzzU2Maartkx8=": false,
	} {
		for _, h := range []http.Header{
			{legacy: {value}}, {oauth2: {value}}, {legacy: {"sha256=AAAA"}, oauth2: {value}}, {legacy: {value}, oauth2: {"sha256=AAAA"}},
		} {
			if _, err := x.Verify(h, []byte("foo")); (err == nil) != want {
				t.Errorf("Verify() of %q = %v", h, err)
			}
		}
		for _, h := range []http.Header{{legacy: {value, value}}, {oauth2: {"", value}}, {"Webhook-Signature": {value}}, {}} {
			if _, err := x.Verify(h, []byte("foo")); err == nil {
				t.Errorf("Verify() of %q is nil", h)
			}
		}
	}
	if shown := fmt.Sprintf("%v %+v %#v", x, x, x); strings.Contains(shown, "z3ZX") || strings.Contains(shown, "122") {
		t.Errorf("the secret is shown: %s", shown)
	}
}

// Whatever the headers are, only what was signed is taken.
func FuzzVerify(f *testing.F) {
	now := time.Unix(1_700_000_000, 0)
	k := keys(f, secret, other)
	h := http.Header{}
	k.Sign(h, "1", now, []byte("body"))
	f.Add("1", h.Get(webhook.Timestamp), h.Get(webhook.Signature), []byte("body"))
	f.Add("1.1", "1700000000", "v1, v1,, ,v1 v1,====", []byte(nil))
	f.Fuzz(func(t *testing.T, id, timestamp, signature string, body []byte) {
		h := http.Header{webhook.ID: {id}, webhook.Timestamp: {timestamp}, webhook.Signature: {signature}}
		_, err := k.Verify(h, now, body)
		if err == nil && (id != "1" || timestamp != "1700000000" || !bytes.Equal(body, []byte("body"))) {
			t.Errorf("taken: %q %q %q %q", id, timestamp, signature, body)
		}
		_, _ = webhook.NewX("s").Verify(http.Header{"X-Twitter-Webhooks-Signature": {signature}}, body)
	})
}
