package wshub_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tweetstream-go/tweetstream/sinks/wshub"
)

// The browser's end is a module that can be kept, and is asked for again.
func TestClient(t *testing.T) {
	get := func(etag string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", "/client.js", nil)
		if etag != "" {
			r.Header.Set("If-None-Match", etag)
		}
		w := httptest.NewRecorder()
		wshub.Client().ServeHTTP(w, r)
		return w
	}
	w := get("")
	etag := w.Header().Get("ETag")
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "text/javascript; charset=utf-8" || !strings.Contains(w.Body.String(), "export function connect(") || etag == "" {
		t.Errorf("the module is answered with %d, %v", w.Code, w.Header())
	}
	if w := get(etag); w.Code != http.StatusNotModified || w.Body.Len() > 0 {
		t.Errorf("the same module again: %d and %d bytes, want 304 and none", w.Code, w.Body.Len())
	}
}
