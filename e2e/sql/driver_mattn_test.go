//go:build mattn

package sql_test

import _ "github.com/mattn/go-sqlite3" // SQLite itself, by way of cgo

const sqliteDriver = "sqlite3"
