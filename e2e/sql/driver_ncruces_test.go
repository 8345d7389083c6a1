//go:build ncruces && !mattn

package sql_test

import _ "github.com/ncruces/go-sqlite3/driver" // SQLite as WebAssembly

const sqliteDriver = "sqlite3"
