package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/examples/internal/secrets"
	"github.com/tweetstream-go/tweetstream/examples/internal/web"
	"github.com/tweetstream-go/tweetstream/sinks/wshub"
)

//go:embed page
var page embed.FS

// routes are what the server answers; all else is 404, other methods are 405.
func routes(v *viewers, r *reader) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /ws", v.hub)
	mux.Handle("GET /client.js", wshub.Client())
	mux.Handle("POST /tweets", v.source)
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		_ = json.NewEncoder(w).Encode(figures(v, r)) // who has gone is not told
	})
	files, err := fs.ReadDir(page, "page")
	if err != nil {
		panic(err) // it is a part of the program
	}
	for _, f := range files {
		route := "GET /" + f.Name()
		if f.Name() == "index.html" {
			route = "GET /{$}"
		}
		mux.Handle(route, file(path.Join("page", f.Name())))
	}
	return mux
}

// file serves a file of the page. Browsers keep it, and ask each time whether it
// has changed.
func file(name string) http.Handler {
	data, err := page.ReadFile(name)
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256(data)
	etag := `"` + hex.EncodeToString(sum[:8]) + `"`
	kind := map[string]string{
		".html": "text/html; charset=utf-8",
		".css":  "text/css; charset=utf-8",
		".js":   "text/javascript; charset=utf-8",
		".svg":  "image/svg+xml",
	}[path.Ext(name)]
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Cache-Control", "no-cache")
		w.Header().Set("ETag", etag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	})
}

// headers are on every answer: the page gets what it needs from its own origin,
// and nothing from anywhere else.
var headers = map[string]string{
	"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
	"X-Content-Type-Options":       "nosniff",
	"Referrer-Policy":              "no-referrer",
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin",
}

// guard returns what stands before all routes: the headers, the list of hosts,
// the password, and the refusal of what pages of other origins would post.
func (c *cli) guard(logger *slog.Logger) (func(http.Handler) http.Handler, error) {
	ask := func(next http.Handler) http.Handler { return next }
	if c.PasswordFile != "" {
		secret, err := password(c.PasswordFile, logger)
		if err != nil {
			return nil, err
		}
		ask = func(next http.Handler) http.Handler { return askPassword(secret, next) }
	}
	return func(next http.Handler) http.Handler {
		checked := web.OnlyHosts(c.hosts(), ask(http.NewCrossOriginProtection().Handler(next)))
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for name, value := range headers {
				w.Header().Set(name, value)
			}
			checked.ServeHTTP(w, r)
		})
	}, nil
}

// askPassword wants the password from everybody, and takes any user name.
func askPassword(secret string, next http.Handler) http.Handler {
	want := sha256.Sum256([]byte(secret))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, given, _ := r.BasicAuth()
		// Sums are of one length, so that the time says nothing about it.
		if got := sha256.Sum256([]byte(given)); subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			w.Header().Set("WWW-Authenticate", `Basic realm="webdemo", charset="UTF-8"`)
			http.Error(w, "a password is needed", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// shortest is the length of the shortest password: nobody counts the tries.
const shortest = 12

func password(name string, logger *slog.Logger) (string, error) {
	file, err := secrets.Read(name)
	if err != nil {
		return "", fmt.Errorf("--password-file: %w", err)
	}
	file.Warn(logger)
	text := strings.TrimRight(file.Text, "\r\n")
	if len(text) < shortest || strings.ContainsAny(text, "\r\n") {
		return "", fmt.Errorf("--password-file %s: want one line of at least %d characters", name, shortest)
	}
	return text, nil
}

// stats is what /stats says.
type stats struct {
	Viewers  int       `json:"viewers"`
	Services []service `json:"services"`
}

type service struct {
	Name     string `json:"name"` // "web", or "x" for the one that reads X
	Received uint64 `json:"received"`
	Repeats  uint64 `json:"repeats"`
	Held     string `json:"held,omitempty"`
	Sinks    []sink `json:"sinks"`
}

type sink struct {
	Name      string `json:"name"`
	State     string `json:"state"`
	Delivered uint64 `json:"delivered"`
	Waiting   uint64 `json:"waiting"`
	Failures  uint64 `json:"failures"`
	Lost      uint64 `json:"lost"`
}

func figures(v *viewers, r *reader) stats {
	st := stats{Viewers: v.hub.Stats().Viewers, Services: []service{serviceOf("web", v.streamer.Stats())}}
	if r != nil {
		x := serviceOf("x", r.streamer.Stats())
		x.Held = cmp.Or(r.source.Stats().Held, x.Held) // what nobody but money or the calendar mends
		st.Services = append(st.Services, x)
	}
	return st
}

func serviceOf(name string, st tweetstream.Stats) service {
	s := service{Name: name, Received: st.Received, Repeats: st.Repeats, Held: st.Held}
	for _, of := range st.Sinks {
		one := sink{Name: of.Name, State: string(of.State), Delivered: of.Delivered, Waiting: of.Waiting, Failures: of.Failures}
		for _, n := range of.Lost {
			one.Lost += n
		}
		s.Sinks = append(s.Sinks, one)
	}
	return s
}
