//go:build !(linux || darwin)

package main

// freeBytes does not know it on this system.
func freeBytes(string) (n uint64, known bool) { return 0, false }
