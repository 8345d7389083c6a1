package main

import (
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func cores() string { return strconv.Itoa(runtime.GOMAXPROCS(0)) }

func TestTable(t *testing.T) {
	var r rows
	for _, line := range []string{
		"goos: linux",
		"BenchmarkIntake/go-twitter-" + cores() + "   	       1	       540.0 allocs/post	       100.2 cpu-s/M	      5588 posts/s",
		"BenchmarkIntake/go-twitter-" + cores() + "   	       1	       540.0 allocs/post	       110.2 cpu-s/M	      5600 posts/s",
		"BenchmarkIntake/go-twitter-" + cores() + "   	       1	       540.0 allocs/post	       104.2 cpu-s/M	   1234567 posts/s",
		"BenchmarkIntake/discard-" + cores() + "   	       1	         0.5 cpu-s/M",
		"PASS",
	} {
		name, values, ok := parse(line)
		if ok != strings.HasPrefix(line, "Benchmark") {
			t.Fatalf("parse(%q) = %v", line, ok)
		}
		for unit, v := range values {
			r.add(name, unit, v)
		}
	}
	var out strings.Builder
	table{title: "Intake", note: "So.", columns: []string{"cpu-s/M", "posts/s", "allocs/post"}}.print(&out, r)
	want := `
## Intake

So.

| | cpu-s/M | posts/s | allocs/post |
|---|---:|---:|---:|
| go-twitter | 104 ±5 % | 5,600 ±10973 % | 540 |
| discard | 0.5 |  |  |
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.04567: "0.0457", 5.8: "5.8", 999.7: "1,000", 1234567: "1,234,567", 12.345: "12.3"} {
		if got := number(v); got != want {
			t.Errorf("number(%v) = %s, want %s", v, got, want)
		}
	}
}

func TestPlot(t *testing.T) {
	var r rows
	for name, v := range map[string]float64{"1": 2, "20-viewers/wshub": 1, "none": 3} {
		r.add(name, "cpu-s/M", v)
	}
	got := string(table{title: "Growth", columns: []string{"cpu-s/M"}, axis: "sinks"}.plot(r))
	if n := strings.Count(got, "<circle"); n != 2 || !strings.Contains(got, ">sinks<") {
		t.Errorf("%d points in %s", n, got)
	}
	if got := string(table{columns: []string{"x"}}.plot(nil)); !strings.HasSuffix(got, "</svg>\n") {
		t.Errorf("with nothing measured: %s", got)
	}
}
