//go:build (mattn && sqlite_fts5) || (!mattn && !ncruces)

package sql_test

// fullText says that this build of SQLite has an index for full text.
const fullText = true

// Whole words, by SQLite's own index for full text.
func Example_fullText() {
	ask("An index for full text, once; after new Posts 'rebuild' brings it up to date", "Full text")
	// Output:
	// 20 | the coop is open
}
