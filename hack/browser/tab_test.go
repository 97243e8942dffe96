package browser

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// A tab is a browser's, in a profile of its own. The test fails at its end when the
// page has complained in the console, violated its policy, or asked for anything
// from elsewhere.
type tab struct {
	*testing.T
	ctx  context.Context //nolint:containedctx // chromedp's handle of a tab is a ctx
	host string
	// expected is what problems contain that are none.
	expected string

	mu       sync.Mutex // protects problems
	problems []string
}

// A look is how the tab's window and user are.
type look struct {
	width, height int64
	dark          bool
	noScript      bool
}

var (
	desktop     = look{width: 1280, height: 900}
	desktopDark = look{width: 1280, height: 900, dark: true}
	phone       = look{width: 360, height: 740}
	phoneDark   = look{width: 360, height: 740, dark: true}
)

func newTab(t *testing.T, as look, address string) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(chromium, chromedp.WithNewBrowserContext())
	ctx, cancelTimeout := context.WithTimeout(ctx, 10*time.Minute)
	b := &tab{T: t, ctx: ctx}
	t.Cleanup(func() {
		cancelTimeout()
		cancel()
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, problem := range b.problems {
			if b.expected == "" || !strings.Contains(problem, b.expected) {
				t.Error(problem)
			}
		}
	})
	if parsed, err := url.Parse(address); err == nil {
		b.host = parsed.Host
	}
	if err := chromedp.Listen(ctx, b.note); err != nil {
		t.Fatal(err)
	}
	scheme := "light"
	if as.dark {
		scheme = "dark"
	}
	command(b, network.Enable, network.EnableParams{})
	command(b, log.Enable, cdp.Empty{})
	command(b, runtime.Enable, cdp.Empty{})
	command(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: as.width, Height: as.height, DeviceScaleFactor: 1, Mobile: as.width < 500,
	})
	command(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	command(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: as.noScript})
	run(b, chromedp.Navigate(address))
	return b
}

func (b *tab) note(event any) {
	problem := ""
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		problem = "exception: " + e.ExceptionDetails.Text
	case *runtime.EventConsoleAPICalled:
		problem = fmt.Sprintf("console.%s", e.Type)
	case *log.EventEntryAdded:
		problem = fmt.Sprintf("%s %s: %s", e.Entry.Source, e.Entry.Level, e.Entry.Text)
	case *network.EventRequestWillBeSent:
		if to, err := url.Parse(e.Request.URL); err != nil || to.Scheme != "data" && to.Host != b.host {
			problem = "a request to elsewhere: " + e.Request.URL
		}
	}
	if problem != "" {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.problems = append(b.problems, problem)
	}
}

func command[P, R any](b *tab, command cdp.Command[P, R], params P) {
	b.Helper()
	if _, err := chromedp.Call(b.ctx, command, params); err != nil {
		b.Fatalf("%s: %v", command.Method, err)
	}
}

func run[T any](b *tab, action chromedp.Action[T]) T {
	b.Helper()
	result, err := chromedp.Run(b.ctx, action)
	if err != nil {
		b.Fatal(err)
	}
	return result
}

// eval returns what a JavaScript expression is.
func eval[T any](b *tab, expression string) T {
	b.Helper()
	return run(b, chromedp.Evaluate[T](expression))
}

// until waits until an expression is true, for as long as a slow machine may need.
// How soon a page is told of a change is tested in pkg/debugpage.
func (b *tab) until(what, expression string) {
	b.Helper()
	_, err := chromedp.Run(b.ctx, chromedp.Poll[bool](expression, chromedp.WithPollingInterval(20*time.Millisecond), chromedp.WithPollingTimeout(time.Minute)))
	if err != nil {
		b.Fatalf("not within a minute: %s: %v; the page says %q", what, err, eval[string](b, "document.body.innerText"))
	}
}

func (b *tab) untilLive() {
	b.Helper()
	b.until("the page is live", `document.getElementById("live").textContent == "Live"`)
}

// untilUpdated waits for a further update, which changes an age at least.
func (b *tab) untilUpdated() {
	b.Helper()
	before := eval[string](b, `document.getElementById("health").innerText`)
	b.until("an update has come", fmt.Sprintf(`document.getElementById("health").innerText != %q`, before))
}

func (b *tab) untilState(state string) {
	b.Helper()
	b.until("the page says "+state, fmt.Sprintf(`document.querySelector("[data-state=%s]") != null`, state))
}

// outer returns the page's markup as the browser has it, without running a script.
func (b *tab) outer(selector string) string {
	b.Helper()
	return run(b, chromedp.OuterHTML(chromedp.CSS(selector)))
}
