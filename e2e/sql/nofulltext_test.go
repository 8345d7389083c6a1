//go:build !((mattn && sqlite_fts5) || (!mattn && !ncruces))

package sql_test

const fullText = false
