package browser_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
)

// Pictures of the page as it is by itself, for people to look at.
// The README shows readme.png, as examples/webdemo/screenshot.png.
func TestScreenshots(t *testing.T) {
	needBrowser(t)
	s := start(t, freeAddr(t), "--rate", "6")
	b := open(t, s.url, s.url+"/")
	b.until("there are Posts", posts+` > 40`)
	b.key("p")
	b.scheme("light")
	b.do(chromedp.EmulateViewport(1320, 700))
	b.until("all columns are at their top", `[...document.querySelectorAll('.scroller')].every((s) => s.scrollTop === 0)`)
	b.screenshot("readme")
	for _, scheme := range []string{"light", "dark"} {
		b.scheme(scheme)
		b.do(chromedp.EmulateViewport(1440, 900))
		b.js(`document.querySelector('#panel').hidden && document.querySelector('#open-panel').click()`)
		b.screenshot("desktop-" + scheme)
		b.js(`document.querySelector('#panel').hidden || document.querySelector('#open-panel').click()`)
		b.do(chromedp.EmulateViewport(390, 844, chromedp.EmulateScale(2), chromedp.EmulateMobile))
		b.screenshot("phone-" + scheme)
		if wide := eval[int](b, `document.documentElement.scrollWidth - document.documentElement.clientWidth`); wide > 0 {
			t.Errorf("on a phone the page is %d pixels too wide", wide)
		}
		b.key("f")
		b.screenshot("phone-figures-" + scheme)
		b.key("a")
		b.screenshot("phone-column-" + scheme)
		b.js(`document.querySelector('#choose').close()`)
	}
	empty := start(t, freeAddr(t), "--receive")
	b = open(t, empty.url, empty.url+"/")
	b.until("it is live", live)
	b.screenshot("empty")
}

// The README's picture is there, and is no burden.
func TestScreenshotOfReadme(t *testing.T) {
	st, err := os.Stat(filepath.Join("..", "..", "examples", "webdemo", "screenshot.png"))
	if err != nil {
		t.Fatal(err)
	}
	if st.Size() > 300_000 {
		t.Errorf("it has %d bytes, want 300,000 at most", st.Size())
	}
}
