// Package webhook signs webhooks and verifies them, as
// https://github.com/standard-webhooks/standard-webhooks has it: with
// HMAC-SHA256 over the id, the time and the body.
package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The headers of a webhook.
const (
	ID        = "Webhook-Id"
	Timestamp = "Webhook-Timestamp"
	Signature = "Webhook-Signature"
)

// Tolerance is how far the time of a webhook may be off the receiver's clock.
const Tolerance = 5 * time.Minute

// Keys are the secrets of an endpoint: more than one while they are changed. No
// format shows them.
type Keys struct{ keys [][]byte }

// String hides the keys, and so does GoString.
func (k Keys) String() string { return fmt.Sprintf("%d keys", len(k.keys)) }

// GoString is String.
func (k Keys) GoString() string { return k.String() }

// Len returns how many keys there are.
func (k Keys) Len() int { return len(k.keys) }

// The limits of a secret, in bytes, that the specification has.
const minSecret, maxSecret = 24, 64

// Parse reads secrets, which are base64, with or without whsec_ before it. A text
// may hold several with white space between them, as a file does. Its errors do
// not show them.
func Parse(texts ...string) (Keys, error) {
	var k Keys
	for _, text := range texts {
		for secret := range strings.FieldsSeq(text) {
			key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
			if err != nil {
				return Keys{}, fmt.Errorf("secret %d is not base64, as in whsec_…", len(k.keys)+1)
			}
			if len(key) < minSecret || len(key) > maxSecret {
				return Keys{}, fmt.Errorf("secret %d has %d bytes, want %d to %d", len(k.keys)+1, len(key), minSecret, maxSecret)
			}
			k.keys = append(k.keys, key)
		}
	}
	if len(k.keys) == 0 {
		return Keys{}, errors.New("there is no secret")
	}
	return k, nil
}

// MAC is what a signature says in base64.
type MAC = [sha256.Size]byte

func sum(key []byte, id, timestamp string, body ...[]byte) (mac MAC) {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(id + "." + timestamp + "."))
	for _, part := range body {
		h.Write(part)
	}
	h.Sum(mac[:0])
	return mac
}

// Sign sets the headers of a request with this id, at that time, whose body is
// the parts one after the other. The id must not have a dot in it.
func (k Keys) Sign(h http.Header, id string, at time.Time, body ...[]byte) {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	signatures := make([]string, len(k.keys))
	for i, key := range k.keys {
		mac := sum(key, id, timestamp, body...)
		signatures[i] = "v1," + base64.StdEncoding.EncodeToString(mac[:])
	}
	h[ID], h[Timestamp], h[Signature] = []string{id}, []string{timestamp}, []string{strings.Join(signatures, " ")}
}

// What Verify finds.
var (
	ErrUnsigned = errors.New("webhook-id, webhook-timestamp or webhook-signature is missing, twice there or not well formed")
	ErrTime     = errors.New("webhook-timestamp is more than five minutes off this clock")
	ErrMismatch = errors.New("no signature in webhook-signature matches")
)

// The limits of the headers: who sends more has not signed it for us.
const maxID, maxSignatures = 256, 16

// CheckHeaders returns what is wrong with the headers of a webhook by themselves,
// before its body is read.
func CheckHeaders(h http.Header, now time.Time) error {
	_, _, _, err := headers(h, now)
	return err
}

func headers(h http.Header, now time.Time) (id, timestamp string, signatures [][]byte, err error) {
	one := func(name string) string {
		if values := h[name]; len(values) == 1 {
			return values[0]
		}
		return ""
	}
	id, timestamp = one(ID), one(Timestamp)
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	// With a dot in the id, another id and time could have the same signature.
	if err != nil || id == "" || len(id) > maxID || strings.Contains(id, ".") {
		return "", "", nil, ErrUnsigned
	}
	for part := range strings.FieldsSeq(one(Signature)) {
		version, text, _ := strings.Cut(part, ",")
		if version != "v1" {
			continue // such as v1a, which is of public keys
		}
		if mac, err := base64.StdEncoding.DecodeString(text); err == nil {
			signatures = append(signatures, mac)
		}
		if len(signatures) == maxSignatures {
			break
		}
	}
	if len(signatures) == 0 {
		return "", "", nil, ErrUnsigned
	}
	if off := now.Sub(time.Unix(seconds, 0)); off > Tolerance || off < -Tolerance {
		return "", "", nil, ErrTime
	}
	return id, timestamp, signatures, nil
}

// Verify returns nil if one of the signatures in the headers is that of the body
// by one of the keys, and its time near to now. The MAC is the one that matched:
// it tells a request that is repeated from all others.
func (k Keys) Verify(h http.Header, now time.Time, body []byte) (MAC, error) {
	id, timestamp, signatures, err := headers(h, now)
	if err != nil {
		return MAC{}, err
	}
	for _, key := range k.keys {
		mac := sum(key, id, timestamp, body)
		for _, s := range signatures {
			if hmac.Equal(mac[:], s) {
				return mac, nil
			}
		}
	}
	return MAC{}, ErrMismatch
}
