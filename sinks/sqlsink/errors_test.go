package sqlsink_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sinks/sqlsink"
)

// The errors of the drivers, as far as they are looked at.
type (
	pgxError     string
	mysqlError   struct{ Number uint16 }
	moderncError struct{ code int }
	mattnError   struct{ Code mattnNumber }
	mattnNumber  int
	ncrucesError struct{ code uint32 }
)

func (e pgxError) Error() string      { return "ERROR: it said so (SQLSTATE " + string(e) + ")" }
func (e pgxError) SQLState() string   { return string(e) }
func (e *mysqlError) Error() string   { return fmt.Sprintf("Error %d: it said so", e.Number) }
func (e *moderncError) Error() string { return "it said so" }
func (e *moderncError) Code() int     { return e.code }
func (e mattnError) Error() string    { return "it said so" }
func (e *ncrucesError) Error() string { return "it said so" }
func (e *ncrucesError) Code() uint8   { return uint8(e.code) }

// packetError is go-sql-driver's for any error without a number of its own.
type packetError struct{ Number uint16 }

func (*packetError) Error() string { return "Error 1105: Parameter is larger than max_allowed_packet" }

// Each code has its meaning, and tells whether the Post, another transaction or the
// database is at fault.
func TestFailures(t *testing.T) {
	const post, turn, database = "Permanent", "RetryAfter", "any other"
	kinds := map[reflect.Type]string{
		reflect.TypeOf(tweetstream.Permanent(errors.New(""))):     post,
		reflect.TypeOf(tweetstream.RetryAfter(errors.New(""), 0)): turn,
	}
	const (
		full     = "the disk is full: "
		readOnly = "the database is read-only: "
		right    = "a permission is missing: "
		password = "user or password is refused: "
		noTable  = "a table is missing: "
		noBase   = "the database is missing, or can't be opened: "
		noFile   = "the file is no database: "
		tooLarge = "a Post may be larger than the database allows: "
		turns    = "another transaction is in the way: "
		nobody   = ""
		extended = 1 << 8 // what SQLite has above the code
	)
	for _, c := range []struct {
		kind, meaning string
		errs          []error
	}{
		{post, nobody, []error{
			pgxError("22001"), pgxError("22P02"), pgxError("22P05"), pgxError("22021"), pgxError("54000"), pgxError("21000"),
			&mysqlError{1118}, &mysqlError{1264}, &mysqlError{1292}, &mysqlError{1366}, &mysqlError{1406},
			&moderncError{20}, mattnError{20}, &ncrucesError{20},
		}},
		{post, tooLarge, []error{&mysqlError{1153}, &packetError{1105}, &moderncError{18}, mattnError{18}, &ncrucesError{18}}},
		{turn, turns, []error{
			pgxError("40001"), pgxError("40P01"), pgxError("55P03"), &mysqlError{1205}, &mysqlError{1213},
			&moderncError{5}, &moderncError{5 + 2*extended}, &moderncError{6}, mattnError{5}, &ncrucesError{5 + extended}, &ncrucesError{6},
		}},
		{database, full, []error{pgxError("53100"), &mysqlError{1021}, &mysqlError{1114}, &moderncError{13}, mattnError{13}, &ncrucesError{13}}},
		{database, readOnly, []error{pgxError("25006"), &mysqlError{1290}, &mysqlError{1792}, &moderncError{8 + extended}, mattnError{8}}},
		{database, right, []error{pgxError("42501"), &mysqlError{1044}, &mysqlError{1142}, &moderncError{3}, &moderncError{23}}},
		{database, password, []error{pgxError("28P01"), pgxError("28000"), &mysqlError{1045}}},
		{database, noTable, []error{pgxError("42P01"), &mysqlError{1146}}},
		{database, noBase, []error{pgxError("3D000"), &mysqlError{1049}, &moderncError{14}, mattnError{14}, &ncrucesError{14}}},
		{database, noFile, []error{&moderncError{26}, mattnError{26}, &ncrucesError{26}}},
		{database, nobody, []error{
			errors.New("connection reset"), pgxError("57P01"), pgxError(""), pgxError("2"), &mysqlError{1105}, &mysqlError{2013},
			&moderncError{1}, &moderncError{19}, &moderncError{10}, &moderncError{11},
		}},
	} {
		for _, err := range c.errs {
			for _, wrapped := range []error{err, fmt.Errorf("insert into tweets: %w", err), errors.Join(errors.New("first"), err)} {
				got := sqlsink.Failure(wrapped)
				kind := kinds[reflect.TypeOf(got)]
				if kind == "" {
					kind = database
				}
				if want := "sqlsink: deliver: " + c.meaning + wrapped.Error(); kind != c.kind || got.Error() != strings.ReplaceAll(want, "\n", " ") {
					t.Errorf("%#v is %s %q, want %s %q", wrapped, kind, got, c.kind, want)
				}
				if !errors.Is(got, err) {
					t.Errorf("%q is not %v", got, err)
				}
			}
		}
	}
}
