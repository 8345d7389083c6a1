package wshub

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // for client.js
	"encoding/hex"
	"net/http"
	"time"
)

//go:embed client.js
var clientJS []byte

// Client returns a handler that serves the browser's end of a hub: client.js, an
// ES module without dependencies. Its connect opens the feed, comes back by
// itself, goes on behind the Post that came last, and says how it stands:
//
//	import { connect } from './client.js';
//	const feed = connect('/feed', {
//		filter: { tags: ['news'] },
//		onpost: (post) => show(post.data),
//		ondelete: (ids) => ids.forEach(hide),
//		ongap: (gap) => say(`some Posts are missing: ${gap.reason}`),
//		onstate: (state, retryAt) => light(state),
//	});
//
// Its comments are types for TypeScript (checkJs). Browsers keep it, and ask each
// time whether it has changed.
func Client() http.Handler {
	sum := sha256.Sum256(clientJS)
	etag := `"` + hex.EncodeToString(sum[:8]) + `"`
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
		w.Header().Set("Cache-Control", "no-cache")
		w.Header().Set("ETag", etag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(clientJS))
	})
}
