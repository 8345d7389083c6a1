package sql_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// A server is one of the test's own, which may be ended in any way.
type server struct {
	t       *testing.T
	start   func() *exec.Cmd
	sql     func(query string) *exec.Cmd                // the engine's own client
	as      func(name string, args ...string) *exec.Cmd // of PostgreSQL, a command as its user
	dsn     string
	end     os.Signal // ends it without a goodbye
	process *exec.Cmd
	log     string
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

func mustRun(t *testing.T, c *exec.Cmd) {
	t.Helper()
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v: %s", c.Args, err, out)
	}
}

// own makes a server that no one else uses.
func (e engine) own(t *testing.T) *server {
	t.Helper()
	// In a folder that a user without rights reaches, which t.TempDir is not.
	dir, err := os.MkdirTemp("", "tweetstream-sql")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	data, port := filepath.Join(dir, "data"), freePort(t)
	s := &server{t: t, log: filepath.Join(dir, "log")}
	switch e.name {
	case "postgres":
		bin, err := exec.Command("pg_config", "--bindir").Output()
		if err != nil {
			t.Fatal(err)
		}
		// It refuses to run as root.
		s.as = func(name string, args ...string) *exec.Cmd {
			c := exec.Command(name, args...)
			c.Dir = dir
			if os.Getuid() == 0 {
				u, err := user.Lookup("nobody")
				if err != nil {
					t.Fatal(err)
				}
				uid, _ := strconv.Atoi(u.Uid)
				gid, _ := strconv.Atoi(u.Gid)
				if err := os.Chown(dir, uid, gid); err != nil {
					t.Fatal(err)
				}
				c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
			}
			return c
		}
		program := func(name string) string { return filepath.Join(strings.TrimSpace(string(bin)), name) }
		mustRun(t, s.as(program("initdb"), "-D", data, "-U", "postgres", "--auth=trust", "-N"))
		s.start = func() *exec.Cmd {
			return s.as(program("postgres"), "-D", data, "-p", port, "-k", dir, "-c", "listen_addresses=127.0.0.1")
		}
		s.dsn, s.end = "postgres://postgres@127.0.0.1:"+port+"/postgres?sslmode=disable", syscall.SIGQUIT
		s.sql = func(q string) *exec.Cmd { return exec.Command("psql", "-AtF", "|", s.dsn, "-c", q) }
	case "mariadb":
		args := []string{"--no-defaults", "--user=root", "--datadir=" + data}
		mustRun(t, exec.Command("mariadb-install-db", append(args, "--auth-root-authentication-method=normal")...))
		s.start = func() *exec.Cmd {
			return exec.Command("mariadbd", append(args, "--port="+port, "--bind-address=127.0.0.1", "--socket="+filepath.Join(dir, "s"), "--character-set-server=latin1")...)
		}
		s.dsn, s.end = "root@tcp(127.0.0.1:"+port+")/test", syscall.SIGKILL
		s.sql = func(q string) *exec.Cmd {
			return exec.Command("mariadb", "--no-defaults", "-NBr", "--default-character-set=utf8mb4", "-h127.0.0.1", "-P"+port, "-uroot", "test", "-e", q)
		}
	default:
		path := filepath.Join(dir, "posts.db")
		s.dsn = e.dsn(path)
		s.sql = func(q string) *exec.Cmd { return exec.Command("sqlite3", "-cmd", ".timeout 5000", path, q) }
		return s
	}
	s.up()
	t.Cleanup(func() {
		_ = s.process.Process.Kill()
		_ = s.process.Wait()
	})
	return s
}

func (s *server) up() {
	s.t.Helper()
	log, err := os.OpenFile(s.log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	s.process = s.start()
	s.process.Stdout, s.process.Stderr = log, log
	if err := s.process.Start(); err != nil {
		s.t.Fatal(err)
	}
	for begin := time.Now(); s.sql("SELECT 1").Run() != nil; time.Sleep(50 * time.Millisecond) {
		if time.Since(begin) > time.Minute {
			text, _ := os.ReadFile(s.log)
			s.t.Fatalf("the server does not come up: %s", text)
		}
	}
}

// restart ends the server as a crash would, and starts it again.
func (s *server) restart() {
	s.t.Helper()
	if s.start == nil {
		return // SQLite
	}
	_ = s.process.Process.Signal(s.end)
	_ = s.process.Wait() // it says that it was ended
	s.up()
}

func (s *server) ask(query string) string {
	out, err := s.sql(query).Output()
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(out))
}

// TestCrash kills the program ten times, and the server under it, while Posts come:
// each is there once, byte for byte, with what belongs to it, as the engine's own
// client sees it.
func TestCrash(t *testing.T) {
	if !long() {
		t.Skip("it takes a minute: TWEETSTREAM_E2E=1")
	}
	n := 10_000
	if os.Getenv("TWEETSTREAM_CHAOS") == "1" {
		n = 100_000
	}
	const kills, batch = 10, 100
	onEach(t, func(t *testing.T, e engine) {
		s := e.own(t)
		dir, listen := t.TempDir(), "127.0.0.1:"+freePort(t)
		var log bytes.Buffer
		start := func() *exec.Cmd {
			exe, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			c := exec.Command(exe, dir, listen, e.driver, s.dsn)
			c.Env, c.Stderr = append(os.Environ(), child+"=1"), &log
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			return c
		}
		process := start()
		defer func() {
			_ = process.Process.Kill()
			_ = process.Wait()
		}()

		// Each batch is sent until the program says that it has it.
		ctx, cancel := context.WithCancel(t.Context())
		var taken atomic.Int64
		fed := make(chan struct{})
		defer func() { cancel(); <-fed }()
		go func() {
			defer close(fed)
			client := &http.Client{Timeout: 10 * time.Second}
			for first := 1; first <= n; first += batch {
				var body strings.Builder
				for i := first; i < first+batch; i++ {
					body.WriteString(message(i) + "\n")
				}
				for {
					resp, err := client.Post("http://"+listen, "application/x-ndjson", strings.NewReader(body.String()))
					if err == nil {
						resp.Body.Close()
						if resp.StatusCode == http.StatusNoContent {
							break
						}
					}
					select {
					case <-ctx.Done():
						return
					case <-time.After(5 * time.Millisecond):
					}
				}
				taken.Store(int64(first + batch - 1))
			}
		}()
		begin := time.Now()
		for k := range kills {
			for taken.Load() < int64(n*(k+1)/(kills+1)) {
				if time.Since(begin) > 10*time.Minute {
					t.Fatalf("it has taken %d Posts:\n%.3000s", taken.Load(), log.String())
				}
				time.Sleep(time.Millisecond)
			}
			if k%3 == 1 {
				s.restart() // under a program that goes on
			}
			if err := process.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			var exit *exec.ExitError
			if err := process.Wait(); !errors.As(err, &exit) || !exit.Sys().(syscall.WaitStatus).Signaled() {
				t.Fatalf("the program ended by itself, %v:\n%.3000s", err, log.String())
			}
			if k%3 == 2 {
				s.restart() // while the program is away
			}
			process = start()
		}
		<-fed
		for s.ask("SELECT count(*) FROM tweets") != strconv.Itoa(n) {
			if time.Since(begin) > 10*time.Minute {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Logf("%d Posts in %v, %d kills", n, time.Since(begin).Round(time.Millisecond), kills)

		for query, want := range map[string]int{
			"SELECT count(*) FROM tweets":                        n,
			"SELECT count(DISTINCT id) FROM tweets":              n,
			"SELECT count(*) FROM users":                         1000,
			"SELECT count(*) FROM media":                         n,
			"SELECT count(*) FROM rules":                         3,
			"SELECT count(*) FROM tweet_rules":                   n,
			"SELECT count(*) FROM tweets WHERE note IS NOT NULL": 0,
			"SELECT count(*) FROM tweets t JOIN users u ON u.id = t.author_id JOIN media m ON m.tweet_id = t.id" +
				" JOIN tweet_rules l ON l.tweet_id = t.id JOIN rules r ON r.id = l.rule_id WHERE r.id = 1 + t.id % 3 AND u.id = 5000 + t.id % 1000": n,
			"SELECT count(*) FROM tweets t JOIN tweets p ON p.id = t.replied_to_id AND p.id = t.id - 1": n - 1,
		} {
			if got := s.ask(query); got != strconv.Itoa(want) {
				t.Errorf("%s = %s, want %d", query, got, want)
			}
		}
		text := map[string]string{"postgres": "convert_from(raw, 'UTF8')", "mariadb": "CONVERT(raw USING utf8mb4)", "sqlite": "CAST(raw AS text)"}[e.name]
		out, err := s.sql("SELECT " + text + " FROM tweets ORDER BY id").Output()
		if err != nil {
			t.Fatal(err)
		}
		lines, i := bufio.NewScanner(bytes.NewReader(out)), 0
		for lines.Scan() {
			if i++; lines.Text() != message(i) {
				t.Fatalf("row %d is not as it was sent", i)
			}
		}
		if err := lines.Err(); err != nil || i != n {
			t.Errorf("%d rows, %v, want %d", i, err, n)
		}
		if t.Failed() {
			fmt.Printf("%.3000s\n", log.String())
		}
	})
}
