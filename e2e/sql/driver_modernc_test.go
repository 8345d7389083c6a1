//go:build !mattn && !ncruces

package sql_test

import _ "modernc.org/sqlite" // SQLite translated into Go

const sqliteDriver = "sqlite"
