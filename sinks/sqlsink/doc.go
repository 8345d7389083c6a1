// Package sqlsink keeps every Post in a database of the user's own, once:
// PostgreSQL, MySQL or MariaDB, or SQLite, by way of database/sql. The program
// brings the driver:
//
//	import _ "github.com/jackc/pgx/v5/stdlib"
//	…
//	sink, err := sqlsink.Open(ctx, "pgx", "postgres://me@localhost/posts")
//
// Tried are pgx's stdlib (the statements hand over Go's slices as arrays, which a
// driver of PostgreSQL must take), go-sql-driver/mysql, and for SQLite modernc.org/sqlite,
// github.com/mattn/go-sqlite3 and github.com/ncruces/go-sqlite3/driver.
//
// # Tables
//
// New makes the tables tweets, users, media, rules, tweet_rules and deleted, each
// behind a [Prefix], and brings those of an older version up to date, under a
// lock: of many processes that start together, one does it. [Schema] returns the
// statements for those who run them by themselves, with [Migrate](false).
//
// tweets.raw is the message as X sent it, byte for byte. The other columns are
// there to be asked. Times are timestamptz, datetime(6) in UTC, or in SQLite
// microseconds since 1970. Ids are numbers; one that is no number of 63 bits, as
// X's all are, has a number below 0 that is made of it, and stands in text_id.
//
// tweets.note is NULL if all of the message could be indexed. Otherwise it has
// some of these words:
//
//	content  the message is not JSON, or has no data: only id, rules and raw are set
//	json     the engine's own JSON functions may refuse raw: it holds \u0000, a half of
//	         a surrogate pair, or values hundreds deep
//	zero     a zero byte in a text, which PostgreSQL refuses, became U+FFFD
//	cut      a text was longer than its column
//
// So in PostgreSQL convert_from(raw, 'UTF8')::jsonb is safe where note is NULL.
//
// [Sink.Newest], [Sink.After] and [Sink.Search] read Posts back in the order in which
// they came. The folder queries has questions to begin with, in the words of each engine:
// the latest Posts of a tag, Posts a minute, top authors, full text by the engine's
// own index.
//
// # Once
//
// Posts go by their id. The same message again writes nothing. Another message
// of the same Post, such as one with newer counts, takes the place of the older
// one; users, media and rules are as the newest message has them, and the rules
// that a Post matched add up. A batch is one transaction: all of it is there, or
// nothing.
//
// # Errors
//
// What is wrong with one Post (the engine finds a value too long) is
// [tweetstream.Permanent]; a deadlock is tried again at once; everything else, such
// as a lost connection, a full disk, a missing permission or table, is the
// database's fault and is tried again until it works. Errors name the engine's code
// and show nothing that drivers quote from Posts, and no password.
//
// # Deletes
//
// A [Sink] is a [tweetstream.Deleter]. A Post that is deleted is taken out of
// every table, its reposts and versions with it, and out of the messages of
// Posts that quote or answer it. It stays deleted when it comes again.
// [Sink.DeleteAuthor] does the same with all that a user wrote.
package sqlsink
