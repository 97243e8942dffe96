// Package browser looks at the debug page as people do: in a real browser, for a
// store on a real API server. With SCREENSHOTS=folder it leaves pictures there.
package browser

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/unrolled/mapstore/v2/hack/kube"
	"github.com/unrolled/mapstore/v2/hack/kube/kubetest"
)

var (
	plane    *kube.ControlPlane // of all tests but the one that breaks its own
	chromium context.Context    // chromedp's handle of a browser
)

func TestMain(m *testing.M) { os.Exit(kubetest.Main(inChromium{m}, &plane)) }

// inChromium runs tests while a browser is up, which has no state but its own folder,
// and phones nobody.
type inChromium struct{ *testing.M }

// Run returns 1 when there is no browser.
func (tests inChromium) Run() int {
	path, err := exec.LookPath("chromium")
	if err != nil {
		err = errors.New("there is no chromium in the PATH: hack/browser/install.sh installs it on Debian")
	}
	code := 1
	if err == nil {
		code, err = tests.runWith(path)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

func (tests inChromium) runWith(path string) (int, error) {
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
	code := tests.M.Run()
	return code, chromedp.Cancel(browser)
}
