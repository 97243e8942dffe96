// Package browser looks at the debug page as people do, in a real browser. With
// SCREENSHOTS=folder it leaves pictures there.
package browser

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/chromedp/chromedp"
	"go.uber.org/goleak"
)

var chromium context.Context // chromedp's handle of a browser

func TestMain(m *testing.M) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		fmt.Fprintln(os.Stderr, "there is no chromium in the PATH: hack/browser/install.sh installs it on Debian")
		os.Exit(1)
	}
	code, err := withChromium(path, m.Run)
	if err == nil && code == 0 { // a test that failed may have had no chance to clean up
		err = goleak.Find()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(code)
}

// withChromium runs tests while a browser is up, which has no state but its own
// folder, and phones nobody.
func withChromium(path string, tests func() int) (int, error) {
	dir, err := os.MkdirTemp("", "mapstore-browser")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	allocator, cancel := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(path),
		chromedp.UserDataDir(dir),
		chromedp.Headless,
		chromedp.NoSandbox, // which root cannot have
		chromedp.DisableGPU,
		chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("disable-sync", true),
		chromedp.Flag("hide-scrollbars", true),
	)
	defer cancel()
	browser, cancel := chromedp.NewContext(allocator)
	defer cancel()
	if err := chromedp.Do(browser); err != nil {
		return 0, fmt.Errorf("starting chromium: %w", err)
	}
	chromium = browser
	code := tests()
	return code, chromedp.Cancel(browser)
}
