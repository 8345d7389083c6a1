package main

import (
	"crypto/sha256"
	"crypto/subtle"
	"embed"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"path"
	"strings"

	"github.com/tweetstream-go/tweetstream/examples/internal/secrets"
	"github.com/tweetstream-go/tweetstream/examples/internal/web"
	"github.com/tweetstream-go/tweetstream/sinks/wshub"
)

//go:embed page
var page embed.FS

// routes are what the server answers; all else is 404, other methods are 405.
func routes(v *viewers, r *reader, change bool) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /ws", v.hub)
	mux.Handle("POST /tweets", v.source)
	if change {
		mux.HandleFunc("POST /deleted", v.takeAway)
	}
	mux.HandleFunc("GET /posts", v.history.findPosts)
	mux.HandleFunc("GET /export/{what}", v.history.export)
	mux.HandleFunc("GET /insights", v.insights.serve)
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, req *http.Request) {
		respond(w, req, http.StatusOK, figures(req.Context(), v, r))
	})
	if r != nil {
		ru := rules{source: r.source, history: v.history, change: change}
		mux.HandleFunc("GET /rules", ru.list)
		mux.HandleFunc("POST /rules", ru.add)
		mux.HandleFunc("DELETE /rules/{id}", ru.delete)
		mux.HandleFunc("POST /rules/try", ru.try)
		if r.x != nil {
			mux.HandleFunc("POST /faults", r.faults.inject)
		}
	}
	mux.Handle("GET /client.js", wshub.Client())
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

// file serves a file of the page.
func file(name string) http.Handler {
	data, err := page.ReadFile(name)
	if err != nil {
		panic(err)
	}
	whole := newBody(data)
	kind := map[string]string{
		".html": "text/html; charset=utf-8",
		".css":  "text/css; charset=utf-8",
		".js":   "text/javascript; charset=utf-8",
		".svg":  "image/svg+xml",
	}[path.Ext(name)]
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { send(w, r, http.StatusOK, kind, whole) })
}

// headers are on every answer: the page gets what it needs from its own origin,
// and nothing from anywhere else.
var headers = map[string]string{
	"Content-Security-Policy":      policy(""),
	"X-Content-Type-Options":       "nosniff",
	"Referrer-Policy":              "no-referrer",
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin",
}

// policy returns the Content-Security-Policy with pictures from one more place. The
// one address that may become a script is that of the page's worker.
func policy(pictures string) string {
	return "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'" + pictures + "; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types worker"
}

// withPictures lets a page show pictures from X that is asked for as /?pictures=x: its
// user has allowed it.
func withPictures(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/" && r.URL.Query().Get("pictures") == "x" {
		w.Header().Set("Content-Security-Policy", policy(" https://pbs.twimg.com"))
	}
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
			withPictures(w, r)
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
