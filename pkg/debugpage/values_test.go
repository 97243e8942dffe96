package debugpage_test

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/unrolled/mapstore/v2/pkg/debugpage"
)

const canary = "canary-in-a-coal-mine"

func TestHiddenValuesAreNowhere(t *testing.T) {
	s := newSite(t, map[string]string{"old": canary + "-1", "gone": canary + "-2"})
	page := s.page(debugpage.Options{})
	s.set("old", canary+"-3")
	s.set("new", canary+"-4")
	if err := s.store.Delete(t.Context(), "gone"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the page knows of the deletion", func() bool {
		return decode(t, get(page, "/?format=json")).Changes[0].Removed == 1
	})
	for _, url := range []string{"/", "/?sort=name", "/?format=json", "/?key=old", "/?key=gone", "/?key=old&format=json", "/?key=old&format=raw", "/?format=raw"} {
		if body := get(page, url).Body.String(); strings.Contains(body, "canary") || strings.Contains(body, base64.StdEncoding.EncodeToString([]byte(canary))[:16]) {
			t.Errorf("%s shows a value: %s", url, body)
		}
	}
	if events := serve(t, page).follow(t, "/?format=live").part("keys"); strings.Contains(events, "canary") {
		t.Errorf("the stream shows a value: %s", events)
	}
}

func TestShownValuesAreCutInListsAndWholeInFiles(t *testing.T) {
	megabyte := strings.Repeat("0123456789abcde\n", 1<<16-1024)
	binary := "\x00\x01\xff\xfe" + strings.Repeat("\x80", 9000)
	s := newSite(t, map[string]string{"megabyte": megabyte, "json": `{"a": "b\u0041"}`, "control": "a\x00\u202eb", "empty": ""})
	page := s.page(debugpage.Options{Values: debugpage.ShowValuesToAllWhoReachThePage})
	s.set("binary", binary)
	eventually(t, "the page knows of the write", func() bool {
		return decode(t, get(page, "/?format=json")).Changes[0].Added == 1
	})

	body := get(page, "/").Body.String()
	expectText(t, body, "`{\"a\": \"b\\u0041\"}`", `"a\x00\u202eb"`, `added binary 8.8 KiB "\x00\x01\xff\xfe`, `"0123456789abcde\n0123`)
	if len(body) > 40<<10 {
		t.Errorf("the page has %d bytes", len(body))
	}
	one := get(page, "/?key=megabyte").Body.String()
	expectText(t, one, "Content text", "The first 64.0 KiB of 1008.0 KiB. Download all")
	if len(one) > 90<<10 {
		t.Errorf("the page of the key has %d bytes", len(one))
	}
	expectText(t, get(page, "/?key=binary").Body.String(), "Content bytes", "00000000 00 01 ff fe 80", "The first 4.0 KiB of 8.8 KiB.")
	expectText(t, get(page, "/?key=control").Body.String(), "Content bytes")
	expectText(t, get(page, "/?key=empty").Body.String(), "Size 0 B 0 bytes")

	for key, want := range map[string]string{"megabyte": megabyte, "binary": binary, "empty": ""} {
		w := get(page, "/?format=raw&key="+key)
		if w.Code != http.StatusOK || !bytes.Equal(w.Body.Bytes(), []byte(want)) {
			t.Errorf("the file of %s: %d, %d bytes, want %d", key, w.Code, w.Body.Len(), len(want))
		}
		if w.Header().Get("Content-Disposition") != "attachment" || w.Header().Get("Content-Type") != "application/octet-stream" {
			t.Errorf("a browser may show the file of %s: %v", key, w.Header())
		}
		d := decode(t, get(page, "/?format=json&key="+key))
		got := ""
		switch {
		case d.Value != nil:
			got = *d.Value
		case d.ValueBase64 != nil:
			decoded, _ := base64.StdEncoding.DecodeString(*d.ValueBase64)
			got = string(decoded)
		default:
			t.Errorf("%s has no value in the JSON form", key)
		}
		if got != want {
			t.Errorf("%s has another value in the JSON form", key)
		}
	}
	if w := get(page, "/?format=raw&key=absent"); w.Code != http.StatusNotFound {
		t.Errorf("the file of an absent key: %d", w.Code)
	}
	viewer := serve(t, page).follow(t, "/?format=live")
	viewer.part("keys")
	if viewer.bytes > 60<<10 {
		t.Errorf("the stream has sent %d bytes", viewer.bytes)
	}
}

func TestValuesAreShownOnPurposeOnly(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("an unknown value of Options.Values is taken")
		}
	}()
	debugpage.New(newSite(t, nil).store, debugpage.Options{Values: 2})
}
