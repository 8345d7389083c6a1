package sqlsink

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/internal/redact"
)

// A failure is an error of a driver. It may quote Posts or the DSN, so that it can
// be compared with, but not taken out.
type failure struct {
	text string
	err  error
}

func (f *failure) Error() string        { return f.text }
func (f *failure) Is(target error) bool { return errors.Is(f.err, target) }

// failure makes of a driver's error one that says what is to be done.
func (s *Sink) failure(ctx context.Context, what string, err error, tweets []*tweetstream.Tweet) error {
	if err == nil {
		return nil
	}
	if e := ctx.Err(); e != nil {
		return fmt.Errorf("sqlsink: %s: %w", what, e)
	}
	messages := make([][]byte, len(tweets))
	for i, t := range tweets {
		messages[i] = t.Raw
	}
	c := codeOf(err)
	why := ""
	if name := c.meaning(); name != "" {
		why = name + ": "
	}
	said := redact.Posts(s.withoutSecrets(err.Error()), messages...)
	said = redact.Text(strings.Join(strings.Fields(said), " ")) // pgx has a line for each address
	f := &failure{fmt.Sprintf("sqlsink: %s: %s%s", what, why, said), err}
	switch c.kind() {
	case ofPost:
		return tweetstream.Permanent(f)
	case ofTurn:
		return tweetstream.RetryAfter(f, 50*time.Millisecond)
	}
	return f
}

// withoutSecrets takes the parts of the DSN out of a driver's text, but for the host,
// the user and the database where it is certain that they are. One of less than eight
// characters may be a word of any sentence, so that what is left would
// tell it: where a short one stands by itself, and could be a password, nothing of
// the text is shown.
func (s *Sink) withoutSecrets(text string) string {
	secrets := []string{s.dsn}
	var open []string
	// A password that is not escaped may pass for a database.
	if u, err := url.Parse(s.dsn); err == nil && u.User != nil && strings.Count(s.dsn, "@") == 1 {
		open = []string{u.Hostname(), u.User.Username(), strings.TrimPrefix(u.Path, "/")}
	}
	for part := range strings.FieldsFuncSeq(s.dsn, func(r rune) bool { return strings.ContainsRune(":@/?&=' ", r) }) {
		if len(part) >= 8 && !slices.Contains(open, part) {
			secrets = append(secrets, part)
		}
	}
	for _, p := range passwords(s.dsn) {
		if len(p) >= 8 {
			secrets = append(secrets, p)
		} else if regexp.MustCompile(`(^|[^\pL\pN])` + regexp.QuoteMeta(p) + `($|[^\pL\pN])`).MatchString(text) {
			return "the driver's text may show the password"
		}
	}
	return redact.Secrets(text, secrets...)
}

var passwordForms = []*regexp.Regexp{
	regexp.MustCompile(`^(?:[a-zA-Z][a-zA-Z0-9+.-]*://)?[^:@/]*:(.*)@`),               // user:password@
	regexp.MustCompile(`(?i)(?:password|passwd|pwd|_auth_pass|_key)\s*=\s*'([^']*)'`), // in PostgreSQL's quotes
	regexp.MustCompile(`(?i)(?:password|passwd|pwd|_auth_pass|_key)\s*=\s*([^\s&']+)`),
}

// passwords returns those of a DSN, of any driver, as they stand and as they are
// meant.
func passwords(dsn string) (all []string) {
	for _, form := range passwordForms {
		for _, m := range form.FindAllStringSubmatch(dsn, -1) {
			all = append(all, m[1])
			if plain, err := url.PathUnescape(m[1]); err == nil {
				all = append(all, plain)
			}
		}
	}
	return slices.DeleteFunc(all, func(p string) bool { return p == "" })
}

// code is what an engine calls an error.
type code struct {
	state  string // SQLSTATE, of PostgreSQL
	mysql  int
	packet bool // a value is beyond MySQL's max_allowed_packet
	sqlite int  // without what stands above the lowest 8 bits
}

const sqliteBusy = 5

// codeOf finds the code without importing a driver: pgx has a method, the others'
// types have the fields and methods named here.
func codeOf(err error) (c code) {
	var s interface{ SQLState() string }
	if errors.As(err, &s) {
		return code{state: s.SQLState()}
	}
	for ; err != nil; err = errors.Unwrap(err) {
		if joined, ok := err.(interface{ Unwrap() []error }); ok { // as ncruces does
			for _, err := range joined.Unwrap() {
				if c = codeOf(err); c != (code{}) {
					break
				}
			}
			return c
		}
		v := reflect.ValueOf(err)
		if m := v.MethodByName("Code"); m.IsValid() && m.Type().NumIn() == 0 && m.Type().NumOut() == 1 {
			if n, ok := integer(m.Call(nil)[0]); ok {
				return code{sqlite: n & 0xff}
			}
		}
		if v = reflect.Indirect(v); v.Kind() != reflect.Struct {
			continue
		}
		if n, ok := integer(v.FieldByName("Number")); ok {
			return code{mysql: n, packet: strings.Contains(err.Error(), "max_allowed_packet")}
		}
		if n, ok := integer(v.FieldByName("Code")); ok {
			return code{sqlite: n}
		}
	}
	return c
}

func integer(v reflect.Value) (int, bool) {
	switch {
	case !v.IsValid():
	case v.CanInt():
		return int(v.Int()), true
	case v.CanUint():
		return int(v.Uint()), true
	}
	return 0, false
}

// fault is whose an error is.
type fault int

const (
	ofDatabase fault = iota
	ofPost           // a value that the engine refuses
	ofTurn           // another transaction was in the way
)

func (c code) kind() fault {
	switch class := c.state[:min(len(c.state), 2)]; {
	case c.state == "40001", c.state == "40P01", c.state == "55P03":
		return ofTurn
	case class == "22", c.state == "54000", c.state == "21000":
		return ofPost
	}
	switch c.mysql {
	case 1205, 1213:
		return ofTurn
	case 1118, 1153, 1264, 1292, 1366, 1406:
		return ofPost
	case 1105: // any error that has no number of its own
		if c.packet {
			return ofPost
		}
	}
	switch c.sqlite {
	case sqliteBusy, 6:
		return ofTurn
	case 18, 20:
		return ofPost
	}
	return ofDatabase
}

// meaning says in plain words what the most frequent codes are.
func (c code) meaning() string {
	is := func(state string, mysql, sqlite int) bool {
		return state != "" && c.state == state || mysql != 0 && c.mysql == mysql || sqlite != 0 && c.sqlite == sqlite
	}
	switch {
	case is("53100", 1021, 13), c.mysql == 1114:
		return "the disk is full"
	case is("25006", 1290, 8), c.mysql == 1792:
		return "the database is read-only"
	case is("42501", 1142, 3), c.mysql == 1044, c.sqlite == 23:
		return "a permission is missing"
	case is("28P01", 1045, 0), c.state == "28000":
		return "user or password is refused"
	case is("42P01", 1146, 0):
		return "a table is missing"
	case is("3D000", 1049, 14):
		return "the database is missing, or can't be opened"
	case is("", 0, 26):
		return "the file is no database"
	case is("", 1153, 18), c.packet:
		return "a Post may be larger than the database allows"
	case c.kind() == ofTurn:
		return "another transaction is in the way"
	}
	return ""
}
