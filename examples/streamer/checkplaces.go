package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/tweetstream-go/tweetstream/journal/boltjournal"
)

// checkTarget looks whether a sink could be opened, as far as that does no harm.
func checkTarget(ctx context.Context, r *report, t target) {
	what := "sink " + t.name
	switch t.scheme {
	case "file":
		checkFile(r, what, t.place, 1<<30)
	case "http", "https":
		checkHTTP(ctx, r, what, t)
	case "postgres", "mysql":
		checkDatabase(ctx, r, what, t)
	case "sqlite":
		checkFile(r, what, t.place, 1<<30)
	case "ws":
		l, err := net.Listen("tcp", t.listen)
		if err != nil {
			r.add(fail, what, err.Error(), "end what listens there, or take another port")
			return
		}
		_ = l.Close()
		r.add(ok, what, t.listen+" is free to listen on", "")
	default:
		r.add(ok, what, "standard output", "")
	}
}

// checkHTTP looks whether somebody listens, without a request. What the answer to
// one would be is not known.
func checkHTTP(ctx context.Context, r *report, what string, t target) {
	u, err := url.Parse(t.scheme + ":" + t.place)
	if err != nil {
		r.add(fail, what, "not a URL of a server", "")
		return
	}
	to := u
	if proxy, err := http.ProxyFromEnvironment(&http.Request{URL: u}); err == nil && proxy != nil {
		to, what = proxy, what+", by its proxy"
	}
	port := to.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443", "socks5": "1080"}[to.Scheme]
	}
	addr := net.JoinHostPort(to.Hostname(), port)
	conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "tcp", addr)
	if err != nil {
		r.add(fail, what, err.Error(), "start the receiver, or mend the address")
		return
	}
	_ = conn.Close()
	r.add(ok, what, addr+" takes connections; nothing was posted", "")
}

// checkKeeps looks at what outlives a run.
func (c *checkCmd) checkKeeps(ctx context.Context, r *report) {
	if c.Journal != nil {
		c.checkJournal(ctx, r)
	}
	if c.Checkpoint != nil {
		checkFile(r, "checkpoint", *c.Checkpoint, 1<<20)
	}
	if c.DeadLetter != nil {
		checkFile(r, "dead letter", *c.DeadLetter, 1<<30)
	}
}

func (c *checkCmd) checkJournal(ctx context.Context, r *report) {
	dir := *c.Journal
	if _, err := os.Stat(dir); err == nil {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		switch _, err := boltjournal.Stat(ctx, dir); {
		case errors.Is(err, boltjournal.ErrInUse):
			r.add(warn, "journal", "another process has it: run stands by until that has ended", "")
			return
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			r.add(fail, "journal", err.Error(), "")
			return
		}
	}
	// It wants 512 MiB free, or takes nothing in.
	checkFolder(r, "journal", dir, dir, 512<<20, 8<<30)
}

// checkFile looks whether a file could be written to. It is not made.
func checkFile(r *report, what, path string, want uint64) {
	info, err := os.Lstat(path)
	switch {
	case err == nil && info.Mode()&fs.ModeSymlink != 0:
		r.add(fail, what, path+" is a symbolic link", "name the file itself")
		return
	case err == nil && !info.Mode().IsRegular():
		r.add(fail, what, path+" is no regular file", "name another")
		return
	case err == nil:
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			r.add(fail, what, err.Error(), "let this user write to it")
			return
		}
		_ = f.Close()
	}
	checkFolder(r, what, path, filepath.Dir(path), 0, want)
}

// checkFolder looks whether files can be made in a folder, or in the one where it
// would be made, and what is free there: less than least is a failure, less than
// want is named.
func checkFolder(r *report, what, path, dir string, least, want uint64) {
	for {
		info, err := os.Stat(dir)
		if err == nil && !info.IsDir() {
			r.add(fail, what, dir+" is no folder", "name another place")
			return
		}
		if err == nil {
			break
		}
		parent := filepath.Dir(dir)
		if !errors.Is(err, fs.ErrNotExist) || parent == dir {
			r.add(fail, what, err.Error(), "name another place")
			return
		}
		dir = parent
	}
	f, err := os.CreateTemp(dir, ".streamer-check-*")
	if err != nil {
		r.add(fail, what, err.Error(), "let this user write there, or name another place")
		return
	}
	_ = f.Close()
	if err := os.Remove(f.Name()); err != nil {
		r.add(warn, what, err.Error(), "delete that file")
		return
	}
	free, known := freeBytes(dir)
	text := path + " can be written to"
	if known {
		text += ", " + size(free) + " free"
	}
	switch {
	case known && free < least:
		r.add(fail, what, text+": it takes nothing in below "+size(least), "make room")
	case known && free < want:
		r.add(warn, what, text, "see that it does not run full")
	default:
		r.add(ok, what, text, "")
	}
}

// size is a number of bytes for people.
func size(n uint64) string {
	const units = "KMGTPE"
	if n < 1<<10 {
		return fmt.Sprintf("%d B", n)
	}
	f, i := float64(n)/(1<<10), 0
	for f >= 1<<10 && i < len(units)-1 {
		f, i = f/(1<<10), i+1
	}
	return fmt.Sprintf("%.1f %ciB", f, units[i])
}

// sayKeeps notes what run would do about losses.
func (c *checkCmd) sayKeeps(r *report) {
	switch {
	case c.Journal != nil:
		r.would("keep Posts in %s until all sinks have them", *c.Journal)
	case c.Checkpoint != nil:
		r.would("go on after a restart where %s says, and keep Posts in memory only", *c.Checkpoint)
	default:
		r.would("begin at now, and keep nothing over a restart: neither --journal nor --checkpoint")
	}
	if c.DeadLetter != nil {
		r.would("keep what a sink does not get in %s", *c.DeadLetter)
	} else {
		r.would("name what a sink does not get in the log only: no --dead-letter")
	}
}
