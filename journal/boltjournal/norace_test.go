//go:build !race

package boltjournal_test

const raceEnabled = false
