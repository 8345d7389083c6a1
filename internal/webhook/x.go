package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strings"
)

// xSignatures are the headers in which X signs what it posts, see
// https://docs.x.com/x-api/webhooks/quickstart: the first with the consumer secret
// of the app, the second with its client secret of OAuth 2.0.
var xSignatures = []string{"X-Twitter-Webhooks-Signature", "X-Twitter-Webhooks-Signature-Oauth2"}

// HasX reports whether a request is signed as X does, rightly or not.
func HasX(h http.Header) bool {
	return slices.ContainsFunc(xSignatures, func(name string) bool { return h[name] != nil })
}

// X is the secret of an app with which X signs. No format shows it.
type X struct{ secret []byte }

// NewX returns what verifies the webhooks of the app with this secret.
func NewX(secret string) X { return X{[]byte(secret)} }

// String hides the secret, and so does GoString.
func (x X) String() string { return "a secret of X" }

// GoString is String.
func (x X) GoString() string { return x.String() }

func (x X) sum(body []byte) (mac MAC) {
	h := hmac.New(sha256.New, x.secret)
	h.Write(body)
	h.Sum(mac[:0])
	return mac
}

var (
	errXSignature = errors.New("no signature of X matches")
	errToken      = errors.New("crc_token is missing, too long, or has letters that X's have not")
)

// Verify returns nil if one of the headers is the signature of the body: of an app
// with both secrets X may send both, and only one of them is ours to check. Nothing
// in them tells the time.
func (x X) Verify(h http.Header, body []byte) (MAC, error) {
	mac := x.sum(body)
	for _, name := range xSignatures {
		values := h[name]
		if len(values) != 1 {
			continue
		}
		text, ok := strings.CutPrefix(values[0], "sha256=")
		given, err := base64.StdEncoding.DecodeString(text)
		if ok && err == nil && hmac.Equal(mac[:], given) {
			return mac, nil
		}
	}
	return MAC{}, errXSignature
}

// Challenge returns the response_token for a crc_token. It is the signature that a
// body would have which is the same as the token: so a token must be none that
// could be a message, or anybody could have one signed.
func (x X) Challenge(token string) (string, error) {
	odd := func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-._~+/=", r))
	}
	if token == "" || len(token) > 256 || strings.ContainsFunc(token, odd) {
		return "", errToken
	}
	mac := x.sum([]byte(token))
	return "sha256=" + base64.StdEncoding.EncodeToString(mac[:]), nil
}
