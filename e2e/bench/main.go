// Bench measures the library beside its peers and prints one table, in Markdown.
//
//	cd e2e
//	npm ci --prefix xclients && npm ci --prefix hub # once, for the peers in JavaScript
//	go run ./bench
//
// Each row is a Go benchmark, run -runs times in turn with the others of its
// table; a cell is the median, and half of what lies between the best run and the
// worst. With -only REGEXP only the tables of these titles are measured, and with
// -plots DIR those of growth are drawn there, too, as SVG. The rows of JavaScript and
// of databases are missing where Node, its packages or a server are.
//
// A profile of what is measured is had from the benchmark itself:
//
//	TWEETSTREAM_BENCH_PROFILE=cpu.out go test -run '^$' -bench Record -benchtime 10x ./bench
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A table is a benchmark with its rows, which are its sub-benchmarks.
type table struct {
	title, note string
	dir         string // of the module, seen from e2e
	pkg         string
	bench       string // as for go test -bench
	benchtime   string
	once        bool     // a run is long, or steady: one is enough
	columns     []string // units of the benchmark, in the order of the table
	axis        string   // what grows, where the table is drawn; its first column is what it costs
}

// All of them with three runs take 20 minutes on two processors.
var tables = []table{
	{
		title: "Intake", note: "The stream read over TCP as fast as each client can, 2.4 kB a Post; the limit is the response read and thrown away.",
		pkg: "./bench", bench: "^BenchmarkIntake$", benchtime: "1x",
		columns: []string{"cpu-s/M", "posts/s", "lost-%", "allocs/post", "peak-MiB"},
	},
	{
		title: "The record", note: "143,199 Posts a second for a minute into a synced file, a hub with one viewer and a sink that checks the order. X and the viewer share the machine.",
		pkg: "./bench", bench: "^BenchmarkRecord$", benchtime: "60x",
		columns: []string{"cpu-s/M", "posts/s", "lost-%", "latest-ms", "load-cpu-s/M", "allocs/post", "peak-MiB"},
	},
	{
		title: "The same with the log on disk", note: "As fast as it goes.",
		pkg: "./bench", bench: "^BenchmarkJournaled$", benchtime: "5x",
		columns: []string{"cpu-s/M", "posts/s", "lost-%", "allocs/post", "peak-MiB"},
	},
	{
		title: "Latency", note: "From X's line to a sink, and to the frame of a viewer in another process.",
		pkg: "./bench", bench: "^BenchmarkLatency$", benchtime: "1x",
		columns: []string{"sink-p50-ms", "sink-p99-ms", "sink-p99.9-ms", "frame-p50-ms", "frame-p99-ms", "frame-p99.9-ms"},
	},
	{
		title: "Memory", note: "Connected with nothing to do; and with the default buffer of 64 MiB full.",
		pkg: "./bench", bench: "^BenchmarkMemory$", benchtime: "1x",
		columns: []string{"resident-MiB", "peak-MiB"},
	},
	{
		title: "Growth with the rate", note: "Three sinks; by Posts a second.",
		pkg: "./bench", bench: "^BenchmarkGrowthRate$", benchtime: "1x", once: true,
		columns: []string{"cpu-s/M", "lost-%", "peak-MiB"}, axis: "Posts a second",
	},
	{
		title: "Growth with the sinks", note: "By how many count every Post.",
		pkg: "./bench", bench: "^BenchmarkGrowthSinks$", benchtime: "1x",
		columns: []string{"cpu-s/M-deliveries", "cpu-s/M", "posts/s", "lost-%"}, axis: "sinks",
	},
	{
		title: "Growth with the viewers", note: "CPU for a million deliveries, by viewers in another process.",
		pkg: "./hub", bench: "^BenchmarkGrowth$", benchtime: "1x",
		columns: []string{"cpu-s/M", "deliveries/s"}, axis: "viewers",
	},
	{
		title: "Growth with what waits", note: "Posts through the journal, by how many others wait in it for a sink that is gone.",
		pkg: "./bench", bench: "^BenchmarkGrowthWaiting$", benchtime: "1x", once: true,
		columns: []string{"cpu-s/M", "memory-MiB"}, axis: "Posts that wait",
	},
	{
		title: "Ring", note: "The log in memory, with three readers; an op is a Post.",
		dir: "..", pkg: "./internal/ring", bench: "^BenchmarkRing$", benchtime: "1s",
		columns: []string{"ns/op", "allocs/op"},
	},
	{
		title: "Journal", note: "Three readers, by Posts in a commit.",
		dir: "..", pkg: "./journal/boltjournal", bench: "^BenchmarkThreeReaders$", benchtime: "300x",
		columns: []string{"tweets/s", "allocs/op"},
	},
	{
		title: "httpsink", note: "Beside a loop by hand with the same batches; an op is a Post.",
		dir: "..", pkg: "./sinks/httpsink", bench: "Deliver/^batch=(1|100)$/parallel=(1|8)$", benchtime: "10000x",
		columns: []string{"ns/op", "allocs/op"},
	},
	{
		title: "sqlsink", note: "Posts a second in batches of 500: the sink, which decodes them; the same rows by hand, with and without decoding; the engine's own bulk load.",
		pkg: "./sql", bench: "^BenchmarkSink$", benchtime: "1x",
		columns: []string{"sink/s", "hand-decoding/s", "hand-rows-ready/s", "bulk/s"},
	},
	{
		title: "Hub", note: "Deliveries to viewers in another process, which check every number.",
		pkg: "./hub", bench: "^BenchmarkDeliver$/^1000-viewers$", benchtime: "1x",
		columns: []string{"cpu-s/M", "deliveries/s"},
	},
}

func main() {
	runs := flag.Int("runs", 3, "runs of each benchmark")
	only := flag.String("only", "", "measure the tables whose title matches this regular expression")
	plots := flag.String("plots", "", "draw the tables of growth into this folder")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, *runs, *only, *plots); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, runs int, only, plots string) error {
	which, err := regexp.Compile(only)
	if err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	e2e, err := home()
	if err != nil {
		return err
	}
	if plots != "" {
		if err := os.MkdirAll(plots, 0o755); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "%s, %s, %s, %d CPUs, %s\n", time.Now().Format(time.DateOnly), runtime.Version(), processor(), runtime.NumCPU(), "medians, and how far the runs lie apart")
	var failed []error
	for _, t := range tables {
		if !which.MatchString(t.title) {
			continue
		}
		n := runs
		if t.once {
			n = 1
		}
		var rows rows
		for range n {
			if err := t.measure(ctx, e2e, &rows); err != nil {
				failed = append(failed, err)
				break
			}
		}
		t.print(out, rows)
		if plots != "" && t.axis != "" {
			name := strings.ReplaceAll(strings.ToLower(t.title), " ", "-") + ".svg"
			if err := os.WriteFile(filepath.Join(plots, name), t.plot(rows), 0o644); err != nil {
				failed = append(failed, err)
			}
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(failed...)
}

// home returns the folder of the module that this program belongs to.
func home() (string, error) {
	mod, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/tweetstream-go/tweetstream/e2e").Output()
	if err != nil {
		return "", errors.New("run it inside of the folder e2e")
	}
	return strings.TrimSpace(string(mod)), nil
}

func processor() string {
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if name, ok := strings.CutPrefix(line, "model name"); ok {
			return strings.Trim(name, "\t :\n")
		}
	}
	return runtime.GOARCH
}

// rows are what was measured, in the order in which it came.
type rows []*row

type row struct {
	name   string
	values map[string][]float64 // by unit, a value a run
}

func (r *rows) add(name, unit string, v float64) {
	i := slices.IndexFunc(*r, func(r *row) bool { return r.name == name })
	if i < 0 {
		*r = append(*r, &row{name, map[string][]float64{}})
		i = len(*r) - 1
	}
	(*r)[i].values[unit] = append((*r)[i].values[unit], v)
}

// measure runs the benchmark once, and adds what it prints.
func (t table) measure(ctx context.Context, e2e string, rows *rows) error {
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", t.bench, "-benchtime", t.benchtime, "-benchmem", "-timeout", "30m", t.pkg)
	cmd.Dir = filepath.Join(e2e, t.dir)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", t.title, err, out)
	}
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		name, values, ok := parse(lines.Text())
		for unit, v := range values {
			if ok {
				rows.add(name, unit, v)
			}
		}
	}
	return err
}

// parse reads a line that a benchmark prints: its name without what all rows of a
// table share, how often it ran, and pairs of a value and its unit.
func parse(line string) (name string, values map[string]float64, ok bool) {
	f := strings.Fields(line)
	if len(f) < 4 || !strings.HasPrefix(f[0], "Benchmark") {
		return "", nil, false
	}
	name = strings.TrimSuffix(f[0], "-"+strconv.Itoa(runtime.GOMAXPROCS(0)))
	if _, sub, ok := strings.Cut(name, "/"); ok {
		name = sub
	} else {
		name = strings.TrimPrefix(name, "Benchmark")
	}
	values = map[string]float64{}
	for i := 2; i+1 < len(f); i += 2 {
		v, err := strconv.ParseFloat(f[i], 64)
		if err != nil {
			return "", nil, false
		}
		values[f[i+1]] = v
	}
	return name, values, true
}

func (t table) print(out io.Writer, rows rows) {
	fmt.Fprintf(out, "\n## %s\n\n%s\n\n| | %s |\n|---|%s\n", t.title, t.note, strings.Join(t.columns, " | "), strings.Repeat("---:|", len(t.columns)))
	for _, r := range rows {
		fmt.Fprintf(out, "| %s |", r.name)
		for _, unit := range t.columns {
			fmt.Fprintf(out, " %s |", cell(r.values[unit]))
		}
		fmt.Fprintln(out)
	}
}

// cell is the median of v and half of what lies between its ends.
func cell(v []float64) string {
	if len(v) == 0 {
		return ""
	}
	slices.Sort(v)
	m := median(v)
	if half := (v[len(v)-1] - v[0]) / 2; half > 0 && m > 0 {
		return fmt.Sprintf("%s ±%.0f %%", number(m), 100*half/m)
	}
	return number(m)
}

// median is that of v, which is sorted.
func median(v []float64) float64 {
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// number writes three digits that count, and commas between thousands.
func number(v float64) string {
	if v < 999.5 {
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
	s := strconv.FormatFloat(v, 'f', 0, 64)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
