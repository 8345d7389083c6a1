package browser_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/tweetstream-go/tweetstream/xtest"
)

// Figures are counted on the server, and drawn for those who see and those who hear.
func TestFiguresOfThePage(t *testing.T) {
	needBrowser(t)
	s := start(t, freeAddr(t), "--rate", "50")
	b := open(t, s.url, s.url+"/")
	b.until("there are charts", `document.querySelectorAll('#view-figures .chart').length === 4`)
	b.until("they say what they show", `/^coop: [\d,]+ Posts in the .* minute, at most [1-9]/.test(document.querySelector('#view-figures .chart:nth-of-type(2) svg')?.getAttribute('aria-label') ?? '') || /^(coffee|golang): /.test(document.querySelector('#view-figures .chart:nth-of-type(2) svg')?.getAttribute('aria-label') ?? '')`)
	b.click("#view-figures summary")
	b.until("the table has the same", `document.querySelectorAll('#view-figures tbody tr').length === 10 && Number(document.querySelector('#view-figures tbody td').textContent.replace(/\D/g, '')) > 0`)
	b.until("there are top authors and hashtags", `document.querySelectorAll('#view-figures .top').length === 2 && document.querySelectorAll('#view-figures .top li').length > 10`)
	before := eval[int](b, `document.querySelectorAll('.column').length`)
	b.js(`document.querySelector('#view-figures .top button').click()`)
	b.until("a hashtag becomes a column", fmt.Sprintf(`document.querySelectorAll('.column').length === %d`, before+1))
}

// The reader sees that nothing gets lost, whatever goes wrong.
func TestPipelineOfThePage(t *testing.T) {
	needBrowser(t)
	s := start(t, freeAddr(t), "--rate", "20")
	b := open(t, s.url, s.url+"/")
	b.until("it is live", live)
	b.key("i")
	const ledger = `document.querySelector('#view-pipeline .ledger[data-sink="web"]')`
	number := func(name string) string { return `Number(` + ledger + `?.dataset.` + name + `)` }
	b.until("the source is connected", `document.querySelector('#view-pipeline .rows dd')?.textContent === 'connected'`)
	b.until("Posts are delivered", number("delivered")+` > 10`)
	b.click("#view-pipeline [data-gone]")
	b.until("Posts wait for the sink that is gone", number("waiting")+` > 30`)
	b.click("#view-pipeline [data-fault=flood]")
	b.until("many wait", number("waiting")+` > 5000`)
	b.screenshot("pipeline")
	if sum := eval[[]int](b, fmt.Sprintf("[%s, %s, %s, %s]", number("received"), number("delivered"), number("waiting"), number("lost"))); sum[1]+sum[2]+sum[3] < sum[0] || sum[3] != 0 {
		t.Errorf("received, delivered, waiting and lost are %v", sum)
	}
	b.click("#view-pipeline [data-gone]")
	b.until("all is delivered", number("delivered")+` > 5000 && `+number("waiting")+` < 50 && `+number("lost")+` === 0`)
	b.click("#view-pipeline [data-fault=reset]")
	b.until("the loss is seen", `/of which [1-9]\d* were lost/.test(document.querySelector('#view-pipeline .rows')?.textContent)`)
	b.until("the source is connected again", `document.querySelector('#view-pipeline .rows dd')?.textContent === 'connected'`)
}

// Each fault that the page offers is seen in its figures, and nothing is lost by it.
func TestFaultsOfThePage(t *testing.T) {
	needBrowser(t)
	s := start(t, freeAddr(t), "--rate", "20")
	b := open(t, s.url, s.url+"/")
	b.until("it is live", live)
	b.key("i")
	const rows = `document.querySelector('#view-pipeline .rows')?.textContent`
	connected := `document.querySelector('#view-pipeline .rows dd')?.textContent === 'connected'`
	for _, f := range []struct{ fault, seen string }{
		{"garbage", `/Broken lines1/`},
		{"disconnect", `/of which 1 were lost/`},
		{"busy", `/of which 2 were lost/`},
		{"stall", `/Last byte[2-9] s ago/`},
	} {
		b.until("the source is connected", connected)
		b.click("#view-pipeline [data-fault=" + f.fault + "]")
		b.until("the fault is seen: "+f.fault, f.seen+`.test(`+rows+`)`)
	}
	b.until("the connection is found dead", `/and 1 found dead/.test(`+rows+`)`)
	b.until("the source is connected again", connected)
	// What is asked for again is asked for once more half a minute later, which is not
	// waited for.
	b.until("no gap is lost", `/\d filled, \d open, 0 lost/.test(`+rows+`)`)
	b.until("nothing is lost", `[...document.querySelectorAll('.ledger')].every((l) => l.dataset.lost === '0')`)
}

// A rule is tried and added; what is wrong with one is shown at its place.
func TestRulesOfThePage(t *testing.T) {
	needBrowser(t)
	s := start(t, freeAddr(t), "--rate", "50")
	b := open(t, s.url, s.url+"/")
	b.until("there are Posts", posts+` > 30`)
	b.key("r")
	b.until("the rules are listed", `document.querySelectorAll('#view-rules .rules li[data-rule]').length === 3`)
	b.expectOutage(true) // what is refused is an error of the network to the browser
	b.do(chromedp.SendKeys(chromedp.CSS("#rule-value"), "tea (milk"))
	b.click("#view-rules form button[type=button]")
	b.until("the place is marked", `document.querySelector('#view-rules .place mark')?.textContent === '('`)
	if got := eval[string](b, `document.querySelector('#rule-value').getAttribute('aria-invalid') + getSelection().toString() + document.querySelector('#view-rules .alarm').textContent`); !strings.HasPrefix(got, "true(") || len(got) < 12 {
		t.Errorf("it is told as %q", got)
	}
	b.screenshot("caret")
	b.js(`document.querySelector('#rule-value').value = 'golang -is:retweet'`)
	b.click("#view-rules form button[type=button]")
	b.until("it is tried", `/^It matches [1-9][\d,]* of the newest [\d,]+ Posts \(/.test(document.querySelector('#view-rules .result')?.textContent ?? '')`)
	b.js(`document.querySelector('#rule-value').value = 'cake OR #cake'; document.querySelector('#rule-tag').value = 'cake'`)
	b.click("#view-rules form button[type=submit]")
	b.until("it is added", `document.querySelectorAll('#view-rules .rules li[data-rule]').length === 4`)
	b.js(`document.querySelector('#view-rules .result button').click()`)
	b.until("its Posts come into a column", `[...document.querySelectorAll('.column h2')].at(-1).textContent === 'cake' && document.querySelectorAll('.column:last-of-type .posts > li').length > 2`)
	b.js(`[...document.querySelectorAll('#view-rules .rules li')].find((li) => li.querySelector('b').textContent === 'cake').querySelector('button').click()`)
	b.until("it is deleted", `document.querySelectorAll('#view-rules .rules li[data-rule]').length === 3`)
}

// A stream that is held says so, and why.
func TestHeldPage(t *testing.T) {
	needBrowser(t)
	x := xtest.NewServer(xtest.Rate(100))
	defer x.Close()
	s := start(t, freeAddr(t), "--live", "--api-url", x.URL, "--tag", "coop", "--budget", "20/day")
	b := open(t, s.url, s.url+"/")
	b.until("it says why", `document.querySelector('#state').dataset.state === 'held' && document.querySelector('#notice-text').textContent.includes('the budget of 20 Posts a day is spent')`)
	b.until("what came before is shown", posts+` >= 20`)
	b.key("i")
	b.until("the pipeline has the budget", `document.querySelector('#view-pipeline .rows')?.textContent.includes('20 of 20 today')`)
	if n := eval[int](b, `document.querySelectorAll('#view-pipeline .faults').length`); n != 0 {
		t.Error("faults are offered, though it is not the page's own simulator")
	}
	b.screenshot("held")
	b.axe(t, "held")
}

// Pictures are asked for at X only when the user allows it.
func TestPictures(t *testing.T) {
	needBrowser(t)
	s := start(t, freeAddr(t), "--receive")
	const there = "https://pbs.twimg.com/media/none.jpg"
	s.post(t, message(t, object{
		"data":     object{"id": "1", "text": "see", "author_id": "9", "attachments": object{"media_keys": []string{"3_1", "3_2"}}},
		"includes": object{"users": []object{{"id": "9", "name": "Ada", "username": "ada", "profile_image_url": "https://pbs.twimg.com/none.jpg"}}, "media": []object{{"media_key": "3_1", "type": "photo", "url": there, "alt_text": "a kite"}, {"media_key": "3_2", "type": "photo", "url": "https://evil.example/x.jpg"}}},
	}))
	b := open(t, s.url, s.url+"/") // a request elsewhere fails the test
	b.until("the Post is shown", posts+` === 1`)
	if n := eval[int](b, `document.querySelectorAll('.posts img').length`); n != 0 {
		t.Errorf("%d pictures are shown", n)
	}
	b.key("?")
	b.until("the settings are open", `document.querySelector('#about').open`)
	b.ignore() // there is no X in a test
	b.mu.Lock()
	b.origin, b.quiet = "", true
	b.mu.Unlock()
	b.click("#about input[type=checkbox]")
	b.until("pictures are there", `location.search === '?pictures=x' && document.querySelectorAll('.posts img').length === 2`)
	if got := eval[[]string](b, `[...document.querySelectorAll('.posts img')].map((i) => i.src)`); got[0] != "https://pbs.twimg.com/none.jpg" || got[1] != there {
		t.Errorf("pictures are %v", got)
	}
}
