package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// worthZipping is from what size on an answer is compressed.
const worthZipping = 1 << 10

// respond answers with a value as JSON, compressed if it is worth it, or with 304 if
// the page has the same already.
func respond(w http.ResponseWriter, r *http.Request, status int, value any) {
	var b bytes.Buffer
	out := json.NewEncoder(&b)
	out.SetEscapeHTML(false)
	if err := out.Encode(value); err != nil {
		http.Error(w, "the answer can't be written", http.StatusInternalServerError)
		return
	}
	send(w, r, status, "application/json", newBody(b.Bytes()))
}

// refuse answers with what is wrong.
func refuse(w http.ResponseWriter, status int, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": err.Error()}) // who has gone is not told
}

// read reads the JSON of a request, or answers that it can't.
func read(w http.ResponseWriter, r *http.Request, to any) bool {
	// A page elsewhere can't send this type without asking first.
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		refuse(w, http.StatusUnsupportedMediaType, errors.New("want application/json"))
		return false
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(to); err != nil {
		refuse(w, http.StatusBadRequest, errors.New("the request is no JSON of the right form"))
		return false
	}
	return true
}

// body is what is answered, as it is and compressed.
type body struct {
	plain  []byte
	zipped []byte // nil if that is no smaller
	etag   string // without its quotes
}

func newBody(plain []byte) body {
	sum := sha256.Sum256(plain)
	b := body{plain: plain, etag: hex.EncodeToString(sum[:8])}
	if len(plain) < worthZipping {
		return b
	}
	var zipped bytes.Buffer
	z, _ := gzip.NewWriterLevel(&zipped, gzip.BestSpeed) // the level is right
	_, _ = z.Write(plain)                                // to memory
	_ = z.Close()
	if zipped.Len() < len(plain) {
		b.zipped = zipped.Bytes()
	}
	return b
}

// send sends a body. Browsers keep it, and ask each time whether it has changed.
func send(w http.ResponseWriter, r *http.Request, status int, kind string, b body) {
	head := w.Header()
	etag, content := `"`+b.etag+`"`, b.plain
	head.Set("Content-Type", kind)
	head.Set("Cache-Control", "no-cache")
	head.Add("Vary", "Accept-Encoding")
	if b.zipped != nil && takesGzip(r) {
		etag, content = `"`+b.etag+`-gzip"`, b.zipped
		head.Set("Content-Encoding", "gzip")
	}
	head.Set("ETag", etag)
	known := strings.Split(r.Header.Get("If-None-Match"), ",")
	if status == http.StatusOK && slices.ContainsFunc(known, func(k string) bool { return strings.TrimPrefix(strings.TrimSpace(k), "W/") == etag }) {
		head.Del("Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	head.Set("Content-Length", strconv.Itoa(len(content)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(content) // who has gone is not told
	}
}

func takesGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, parameters, _ := strings.Cut(strings.TrimSpace(part), ";")
		if strings.EqualFold(name, "gzip") {
			return strings.Trim(strings.ReplaceAll(parameters, " ", ""), "0.") != "q="
		}
	}
	return false
}
