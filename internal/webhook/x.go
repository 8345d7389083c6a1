package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
)

// XSignature is the header in which X signs what it posts; see
// https://docs.x.com/x-api/webhooks/quickstart.
const XSignature = "X-Twitter-Webhooks-Signature"

// X is the consumer secret of an app at X. No format shows it.
type X struct{ secret []byte }

// NewX returns what verifies the webhooks of the app with this consumer secret.
func NewX(secret string) X { return X{[]byte(secret)} }

// String hides the secret, and so does GoString.
func (x X) String() string { return "a consumer secret" }

// GoString is String.
func (x X) GoString() string { return x.String() }

func (x X) sum(body []byte) (mac MAC) {
	h := hmac.New(sha256.New, x.secret)
	h.Write(body)
	h.Sum(mac[:0])
	return mac
}

var (
	errXSignature = errors.New(strings.ToLower(XSignature) + " does not match")
	errToken      = errors.New("crc_token is missing, too long, or has letters that X's have not")
)

// Verify returns nil if the header is the signature of the body. Nothing in it
// tells the time.
func (x X) Verify(h http.Header, body []byte) (MAC, error) {
	values := h[XSignature]
	if len(values) != 1 {
		return MAC{}, errXSignature
	}
	text, ok := strings.CutPrefix(values[0], "sha256=")
	given, err := base64.StdEncoding.DecodeString(text)
	if mac := x.sum(body); ok && err == nil && hmac.Equal(mac[:], given) {
		return mac, nil
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
