package browser

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/unrolled/mapstore/v2/pkg/debugpage"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
)

// What changes with time alone.
var ages = regexp.MustCompile(`\d+ (s|min)( \d+ s)? ago|\d\d:\d\d:\d\d|[\d.]+ (µs|ms|s)\b|T\d\d:\d\d:\d\dZ`)

// An event stream has no line's end at the end of an event.
var blanks = regexp.MustCompile(`>\s+`)

func TestWithoutJavaScriptThePageIsTheSame(t *testing.T) {
	s := newSite(t, debugpage.Options{})
	s.populate()
	s.release() // a callback that is behind would be late in the second page, and not yet in the first
	for s.store.Stats().Lag > 0 {
		time.Sleep(time.Millisecond) // poll
	}
	read := func(as look) string {
		b := newTab(t, as, s.url)
		if !as.noScript {
			b.untilLive()
			b.untilUpdated() // which must change nothing else
			b.untilUpdated()
		}
		return blanks.ReplaceAllString(ages.ReplaceAllString(b.outer("main"), "TIME"), ">")
	}
	without := desktop
	without.noScript = true
	with, static := read(desktop), read(without)
	if with != static {
		t.Errorf("with:\n%s\nwithout:\n%s", with, static)
	}
	if !strings.Contains(static, "TIME") || !strings.Contains(static, "tenant.039") {
		t.Errorf("there is not much in the page: %s", static)
	}
	b := newTab(t, without, s.url+"?prefix=tenant.00&sort=name")
	if html := b.outer("#keys"); !strings.Contains(html, "tenant.009") || strings.Contains(html, "tenant.010") {
		t.Errorf("the filter does not work: %s", html)
	}
}

func TestOnAPhoneNothingScrollsSideways(t *testing.T) {
	for _, values := range []debugpage.Values{debugpage.HideValues, debugpage.ShowValuesToAllWhoReachThePage} {
		s := newSite(t, debugpage.Options{Values: values, Instance: strings.Repeat("i", 63)})
		s.populate()
		s.set(strings.Repeat("k", 253), strings.Repeat("v", 5000)) // the longest words there can be
		s.set("wide", "\x00"+strings.Repeat("v", 5000))
		for _, query := range []string{"", "?key=" + strings.Repeat("k", 253), "?key=wide", "?prefix=" + strings.Repeat("p", 253)} {
			b := newTab(t, phone, s.url+query)
			size := eval[[2]int](b, `(() => { const d = document.scrollingElement; return [d.scrollWidth, d.clientWidth] })()`)
			if size[1] != 360 || size[0] > size[1] {
				t.Errorf("%.20s: the page is %d pixels wide, the window %d", query, size[0], size[1])
			}
		}
	}
}

// contrasts finds the lowest contrast of text on the page, as WCAG 2 computes it.
const contrasts = `(() => {
  const parse = (c) => { const m = c.match(/[\d.]+/g).map(Number); return m.length < 4 ? [...m, 1] : m };
  const over = (a, b) => [0, 1, 2].map((i) => a[i] * a[3] + b[i] * (1 - a[3])).concat(1);
  const light = (c) => { const [r, g, b] = c.slice(0, 3).map((v) => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b };
  const ground = (e) => { if (!e) return parse(getComputedStyle(document.body).backgroundColor); const c = parse(getComputedStyle(e).backgroundColor); return c[3] === 1 ? c : over(c, ground(e.parentElement)) };
  let low = [99, ""], seen = 0;
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let n; (n = walk.nextNode()); ) {
    const e = n.parentElement;
    if (!n.data.trim() || !e.checkVisibility() || ["SCRIPT", "STYLE"].includes(e.tagName)) continue;
    const style = getComputedStyle(e), back = ground(e);
    if (style.opacity !== "1") return [0, "opacity on " + e.outerHTML];
    const [a, b] = [light(over(parse(style.color), back)), light(back)];
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    seen++;
    if (ratio < low[0]) low = [ratio, e.outerHTML.slice(0, 200)];
  }
  return [...low, seen];
})()`

func (b *tab) expectContrast() {
	b.Helper()
	found := eval[[]any](b, contrasts)
	if ratio, ok := found[0].(float64); !ok || ratio < 4.5 || ratio > 21 {
		b.Errorf("a contrast of %v: %v", found[0], found[1])
	}
	if seen, _ := found[2].(float64); seen < 5 {
		b.Errorf("only %v texts", seen)
	}
}

func TestTextHasEnoughContrast(t *testing.T) {
	s := newSite(t, debugpage.Options{Values: debugpage.ShowValuesToAllWhoReachThePage})
	s.populate()
	s.set("full", strings.Repeat("x", 800_000)) // the bar's other colours
	for _, as := range []look{desktop, desktopDark, phone, phoneDark} {
		b := newTab(t, as, s.url)
		b.untilLive()
		b.until("a subscription is late", `document.querySelector("tr.warn") != null`)
		b.expectContrast()
		eval[bool](b, `(document.body.classList.add("frozen"), document.getElementById("live").parentElement.className = "live off", true)`)
		b.expectContrast()
		for _, state := range []string{"waiting", "stale", "closed"} {
			eval[bool](b, fmt.Sprintf(`(document.querySelector("[data-state]").className = "state %s", document.querySelector(".big.warn").className = "big bad", true)`, state)+`&& (document.querySelector(".big.bad").classList.add("warn"), true)`)
			b.expectContrast()
		}
		newTab(t, as, s.url+"?key=full").expectContrast()
	}
}

func TestAnOutageShowsAndIsOver(t *testing.T) {
	s := newSite(t, debugpage.Options{})
	s.populate()
	b := newTab(t, desktop, s.url)
	b.untilLive()
	b.untilState("fresh")
	outage := s.api.Fail(mapstoretest.Refused())
	b.untilState("stale")
	b.until("it is announced", `document.getElementById("announce").textContent.startsWith("Stale: ") && document.title.startsWith("Stale: ")`)
	b.until("it says why", `document.querySelector(".error").innerText.includes("refused")`)
	b.expectContrast()
	outage.End()
	b.untilState("fresh")
	s.release()
	s.store.Close()
	b.untilState("closed")
	b.until("it says that it is not live", `document.querySelector(".live.off").innerText.includes("no more updates")`)
}

// What a reader is in the middle of stays: the focus, what is open, what is selected.
func TestUpdatesDisturbNobody(t *testing.T) {
	s := newSite(t, debugpage.Options{})
	s.populate()
	for i := range 15 {
		s.set("many", fmt.Sprint(i))
	}
	b := newTab(t, desktop, s.url)
	b.untilLive()
	b.until("earlier changes are folded", `document.getElementById("more-changes") != null`)
	eval[bool](b, `(document.getElementById("more-changes").open = true, document.querySelector('#keys a[href="?key=log-level"]').focus(), document.getElementById("prefix").value = "typed", true)`)
	start := time.Now()
	s.set("new-one", "v")
	b.until("the update is there", `document.getElementById("keys").innerText.includes("new-one") && document.getElementById("changes").innerText.includes("new-one")`)
	t.Logf("%v after Set was called", time.Since(start).Round(time.Millisecond))
	if !eval[bool](b, `document.getElementById("more-changes").open`) {
		t.Error("what was open is folded")
	}
	if got := eval[string](b, `document.activeElement.getAttribute("href") ?? document.activeElement.tagName`); got != "?key=log-level" {
		t.Errorf("the focus is on %s", got)
	}
	if got := eval[string](b, `document.getElementById("prefix").value`); got != "typed" {
		t.Errorf("the input has %q", got)
	}
	eval[bool](b, `(getSelection().selectAllChildren(document.querySelector("#keys a")), true)`)
	s.set("new-two", "v")
	b.until("the update is there", `document.getElementById("changes").innerText.includes("new-two")`)
	if eval[string](b, `getSelection().toString()`) == "" || eval[bool](b, `document.getElementById("keys").innerText.includes("new-two")`) {
		t.Error("the selected text has gone")
	}
	eval[bool](b, `(getSelection().removeAllRanges(), true)`)
	b.until("what waited is there", `document.getElementById("keys").innerText.includes("new-two")`)
}

func TestALostServerShowsAndItsReturnToo(t *testing.T) {
	s := newSite(t, debugpage.Options{})
	s.set("k", "v")
	var down atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if down.Load() {
			panic(http.ErrAbortHandler) // ends the connection without an answer
		}
		s.page.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	b := newTab(t, desktop, server.URL)
	b.expected = "net::ERR_" // the browser's own complaint
	b.untilLive()
	down.Store(true)
	server.CloseClientConnections()
	b.until("the page says that it is not live", `document.querySelector(".live.off") != null && document.body.classList.contains("frozen")`)
	down.Store(false)
	b.until("the page is live again", `document.getElementById("live").textContent == "Live" && !document.body.classList.contains("frozen")`)
}
