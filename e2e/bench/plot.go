package main

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// plot draws the first column over what grows, whose axis is logarithmic. The other
// axis begins at 0: what does not grow is to be seen as a level line.
func (t table) plot(rows rows) []byte {
	const width, height, left, bottom, top, right = 640, 320, 70, 50, 40, 30
	type point struct{ x, y float64 }
	var points []point
	for _, r := range rows {
		amount := r.name[:len(r.name)-len(strings.TrimLeft(r.name, "0123456789"))] // 100-viewers
		x, err := strconv.ParseFloat(amount, 64)
		if v := r.values[t.columns[0]]; err == nil && len(v) > 0 {
			slices.Sort(v)
			points = append(points, point{x, median(v)})
		}
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#fff"/><text x="%d" y="22" font-size="15">%s: %s</text>`+"\n", width, height, left, t.title, t.columns[0])
	if len(points) == 0 {
		b.WriteString("</svg>\n")
		return b.Bytes()
	}
	highest := slices.MaxFunc(points, func(a, b point) int { return int(math.Copysign(1, a.y-b.y)) }).y
	scale := func(x float64) float64 { return math.Log10(x + 1) }
	first, last := scale(points[0].x), scale(points[len(points)-1].x)
	at := func(p point) (x, y float64) {
		x = left + (scale(p.x)-first)/max(last-first, 1e-9)*(width-left-right)
		return x, height - bottom - p.y/highest*(height-bottom-top)
	}
	for _, part := range []float64{0, 0.5, 1} {
		_, y := at(point{points[0].x, part * highest})
		fmt.Fprintf(&b, `<path d="M%d %.0fH%d" stroke="#ddd"/><text x="%d" y="%.0f" text-anchor="end">%s</text>`+"\n", left, y, width-right, left-8, y+4, number(part*highest))
	}
	var line string
	for i, p := range points {
		x, y := at(p)
		line += fmt.Sprintf("%c%.1f %.1f", "ML"[min(i, 1)], x, y)
		fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="4" fill="#1a6"/><text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n", x, y, x, height-bottom+18, number(p.x))
	}
	fmt.Fprintf(&b, `<path d="%s" fill="none" stroke="#1a6" stroke-width="2"/><text x="%d" y="%d" text-anchor="middle">%s</text>`+"\n</svg>\n", line, (left+width-right)/2, height-10, t.axis)
	return b.Bytes()
}
