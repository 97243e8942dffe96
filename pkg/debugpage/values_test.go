package debugpage_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/unrolled/mapstore/v2/pkg/debugpage"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

const canary = "canary-in-a-coal-mine"

func TestHiddenValuesAreNowhere(t *testing.T) {
	inBubble(t, map[string]string{"old": canary + "-1", "gone": canary + "-2"}, func(s *site) {
		page := s.page(debugpage.Options{})
		s.set("old", canary+"-3")
		s.set("new", canary+"-4")
		s.update(func(tx *mapstore.Tx) { tx.Delete("gone") })
		for _, url := range []string{"/", "/?sort=name", "/?format=json", "/?key=old", "/?key=gone", "/?key=old&format=json", "/?key=old&format=raw", "/?format=raw"} {
			if body := load(page, url); strings.Contains(body, "canary") || strings.Contains(body, base64.StdEncoding.EncodeToString([]byte(canary))[:16]) {
				s.Errorf("%s shows a value: %s", url, body)
			}
		}
		if events := serve(s.T, page).follow("/?format=live").part("keys"); strings.Contains(events, "canary") {
			s.Errorf("the stream shows a value: %s", events)
		}
	})
}

func TestShownValuesAreCutInListsAndWholeInFiles(t *testing.T) {
	megabyte := strings.Repeat("0123456789abcde\n", 1<<16-1024)
	binary := "\x00\x01\xff\xfe" + strings.Repeat("\x80", 9000)
	inBubble(t, map[string]string{"megabyte": megabyte, "empty": ""}, func(s *site) {
		page := s.page(debugpage.Options{Values: debugpage.ShowValuesToAllWhoReachThePage})
		s.set("binary", binary)
		for url, most := range map[string]int{"/": 40 << 10, "/?key=megabyte": 90 << 10, "/?key=binary": 90 << 10} {
			if body := load(page, url); len(body) > most {
				s.Errorf("%s has %d bytes", url, len(body))
			}
		}
		expectText(s.T, load(page, "/?key=megabyte"), "The first 64.0 KiB of 1008.0 KiB. Download all")
		expectText(s.T, load(page, "/?key=binary"), "The first 4.0 KiB of 8.8 KiB. Download all")
		for key, want := range map[string]string{"megabyte": megabyte, "binary": binary, "empty": ""} {
			w := get(page, "/?format=raw&key="+key)
			if w.Code != http.StatusOK || w.Body.String() != want {
				s.Errorf("the file of %s: %d, %d bytes, want %d", key, w.Code, w.Body.Len(), len(want))
			}
			if w.Header().Get("Content-Disposition") != "attachment" || w.Header().Get("Content-Type") != "application/octet-stream" {
				s.Errorf("a browser may show the file of %s: %v", key, w.Header())
			}
			var got string
			if d := decode(s.T, page, "/?format=json&key="+key); d.Value != nil {
				got = *d.Value
			} else if decoded, err := base64.StdEncoding.DecodeString(*d.ValueBase64); err == nil {
				got = string(decoded)
			}
			if got != want {
				s.Errorf("%s has another value in the JSON form", key)
			}
		}
		if w := get(page, "/?format=raw&key=absent"); w.Code != http.StatusNotFound {
			s.Errorf("the file of an absent key: %d", w.Code)
		}
		viewer := serve(s.T, page).follow("/?format=live")
		viewer.part("keys")
		if viewer.bytes > 60<<10 {
			s.Errorf("the stream has sent %d bytes", viewer.bytes)
		}
	})
}

func TestValuesAreShownOnPurposeOnly(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		defer func() {
			if recover() == nil {
				s.Error("an unknown value of Options.Values is taken")
			}
		}()
		debugpage.New(s.store, debugpage.Options{Values: 2})
	})
}
