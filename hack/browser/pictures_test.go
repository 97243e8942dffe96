package browser

import (
	"os"
	"testing"

	"github.com/unrolled/mapstore/v2/pkg/debugpage"
)

func TestPictures(t *testing.T) {
	if os.Getenv("SCREENSHOTS") == "" {
		t.Skip("SCREENSHOTS names no folder")
	}
	s := newSite(t, debugpage.Options{})
	s.populate()
	newTab(t, desktop, s.url).until("ages are not all zero", `!/Last contact\s+[0-2] s ago/.test(document.getElementById("health").innerText)`)
	for name, as := range map[string]look{"light": desktop, "dark": desktopDark, "phone-light": phone, "phone-dark": phoneDark} {
		b := newTab(t, as, s.url)
		b.untilLive()
		b.picture(name, true)
	}
	// Those of docs/debugpage.md.
	newTab(t, look{width: 1100, height: 1180}, s.url).picture("debugpage-light", false)
	newTab(t, phoneDark, s.url).picture("debugpage-phone-dark", false)

	shown := newSite(t, debugpage.Options{Values: debugpage.ShowValuesToAllWhoReachThePage})
	shown.populate()
	newTab(t, desktop, shown.url).picture("values", true)
	newTab(t, phoneDark, shown.url).picture("values-phone", true)
	newTab(t, phone, shown.url+"?key=routes.json").picture("key", false)
	newTab(t, desktop, shown.url+"?key=certificate.der").picture("key-bytes", false)
	newTab(t, phoneDark, s.url+"?key=routes.json").picture("key-hidden", false)
}
