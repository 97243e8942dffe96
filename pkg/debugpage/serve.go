package debugpage

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"unicode/utf8"
)

func (h *Handler) servePage(w http.ResponseWriter, v view) {
	v = v.list()
	snapshot := h.store.Snapshot()
	h.serveHTML(w, http.StatusOK, "page", pageData{
		report: h.report(snapshot),
		Keys:   h.list(snapshot, v),
		View:   v,
	})
}

// serveKey shows one key: how long its value is and, if it may, the value.
func (h *Handler) serveKey(w http.ResponseWriter, v view) {
	snapshot := h.store.Snapshot()
	value, ok := snapshot.Get(v.key)
	data := keyData{
		report:  h.report(snapshot),
		Key:     v.key,
		Present: ok,
		Bytes:   len(value),
		Shown:   h.options.showValues(),
		ListURL: v.list().URL(),
		RawURL:  v.withForm(formRaw).URL(),
	}
	if data.Shown {
		data.Text = isText(value)
		data.Value, data.ValueBytes = readable(value)
	}
	status := http.StatusOK
	if !ok {
		status = http.StatusNotFound
	}
	h.serveHTML(w, status, "key", data)
}

// serveRaw sends a value as it is, as a file: no browser makes anything of it.
func (h *Handler) serveRaw(w http.ResponseWriter, v view) {
	if !h.options.showValues() {
		http.Error(w, "Values are hidden.", http.StatusForbidden)
		return
	}
	value, ok := h.store.Get(v.key)
	if !ok {
		http.Error(w, "There is no such key.", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", "attachment")
	w.Header().Set("Content-Length", strconv.Itoa(len(value)))
	_, _ = w.Write([]byte(value))
}

func (h *Handler) serveHTML(w http.ResponseWriter, status int, name string, data any) {
	var page bytes.Buffer
	if err := templates.ExecuteTemplate(&page, name, data); err != nil {
		http.Error(w, "The page could not be rendered.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(page.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(page.Bytes())
}

// A document is the JSON form of the page.
type document struct {
	report
	Keys []row `json:"keys"`

	// Of the one key that was asked for, if values are shown.
	Value       *string `json:"value,omitempty"`
	ValueBase64 *string `json:"valueBase64,omitempty"` // instead, if it is no UTF-8
}

func (h *Handler) serveJSON(w http.ResponseWriter, v view) {
	snapshot := h.store.Snapshot()
	d, status := document{report: h.report(snapshot)}, http.StatusOK
	if !v.hasKey {
		d.Keys = keysOf(snapshot, v)
	} else if value, ok := snapshot.Get(v.key); !ok {
		status = http.StatusNotFound
	} else {
		d.Keys = []row{{Key: v.key, Bytes: len(value)}}
		switch {
		case !h.options.showValues():
		case utf8.ValidString(value):
			d.Value = &value
		default:
			d.ValueBase64 = new(base64.StdEncoding.EncodeToString([]byte(value)))
		}
	}
	if d.Keys == nil {
		d.Keys = []row{}
	}
	body, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		http.Error(w, fmt.Sprintf("The figures could not be encoded: %T.", err), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
}
