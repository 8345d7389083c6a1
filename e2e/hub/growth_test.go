package hub_test

import (
	"strconv"
	"testing"
)

// BenchmarkGrowth is what a delivery costs the hub, by the number of viewers. An op
// is a million deliveries.
func BenchmarkGrowth(b *testing.B) {
	for _, n := range []int{1, 10, 100, 1000, 5000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			apart(b, func(b *testing.B) { deliver(b, newHub(), n, 1_000_000) })
		})
	}
}
