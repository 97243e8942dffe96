package browser

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/unrolled/mapstore/v2/pkg/debugpage"
)

// Of docs/debugpage.md.
func TestPictures(t *testing.T) {
	dir := os.Getenv("SCREENSHOTS")
	if dir == "" {
		t.Skip("SCREENSHOTS names no folder")
	}
	s := newSite(t, debugpage.Options{})
	s.populate()
	newTab(t, desktop, s.url).until("ages are not all zero", `!/Last contact\s+[0-2] s ago/.test(document.getElementById("health").innerText)`)
	for name, as := range map[string]look{"debugpage-light": {width: 1100, height: 1180}, "debugpage-phone-dark": phoneDark} {
		b := newTab(t, as, s.url)
		b.untilLive()
		if err := os.WriteFile(filepath.Join(dir, name+".png"), run(b, chromedp.CaptureScreenshot()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
