package debugpage

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"unicode/utf8"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// serve answers with the page or with one key, in the form that v asks for.
func (h *Handler) serve(w http.ResponseWriter, v view) {
	snapshot := h.store.Snapshot()
	value, present := snapshot.Get(v.key)
	status, contentType := http.StatusOK, "text/html; charset=utf-8"
	if v.hasKey && !present {
		status = http.StatusNotFound
	}
	var body bytes.Buffer
	var err error
	switch {
	case v.form == formRaw && !h.options.showValues():
		http.Error(w, "Values are hidden.", http.StatusForbidden)
		return
	case v.form == formRaw && !present:
		http.Error(w, "There is no such key.", http.StatusNotFound)
		return
	case v.form == formRaw: // as a file: no browser makes anything of it
		contentType = "application/octet-stream"
		w.Header().Set("Content-Disposition", "attachment")
		body.WriteString(value)
	case v.form == formJSON:
		contentType = "application/json"
		encoder := json.NewEncoder(&body)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(h.document(snapshot, v))
	case v.hasKey:
		err = templates.ExecuteTemplate(&body, "key", h.key(snapshot, v))
	default:
		err = templates.ExecuteTemplate(&body, "page", pageData{h.report(snapshot), h.list(snapshot, v), v.list()})
	}
	if err != nil {
		http.Error(w, "The page could not be rendered.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(body.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes())
}

// A pageData is the page in HTML.
type pageData struct {
	report
	Keys listing
	View view
}

// A keyData is the page of one key.
type keyData struct {
	report
	Key             string
	Present         bool
	Bytes           int
	Shown           bool // whether values are
	Text            bool // whether this one is
	Value           string
	ValueBytes      int // how many of the value's bytes Value stands for
	ListURL, RawURL string
}

func (h *Handler) key(snapshot *mapstore.Snapshot, v view) keyData {
	value, ok := snapshot.Get(v.key)
	data := keyData{
		report: h.report(snapshot), Key: v.key, Present: ok, Bytes: len(value), Shown: h.options.showValues(),
		ListURL: v.list().URL(), RawURL: v.withForm(formRaw).URL(),
	}
	if data.Shown {
		data.Text = isText(value)
		data.Value, data.ValueBytes = readable(value)
	}
	return data
}

// A document is the JSON form of the page.
type document struct {
	report
	Keys []row `json:"keys"`

	// Of the one key that was asked for, if values are shown.
	Value       *string `json:"value,omitempty"`
	ValueBase64 *string `json:"valueBase64,omitempty"` // instead, if it is no UTF-8
}

func (h *Handler) document(snapshot *mapstore.Snapshot, v view) document {
	d := document{report: h.report(snapshot), Keys: []row{}}
	if !v.hasKey {
		d.Keys = append(d.Keys, keysOf(snapshot, v)...)
		return d
	}
	value, ok := snapshot.Get(v.key)
	if ok {
		d.Keys = append(d.Keys, row{Key: v.key, Bytes: len(value)})
	}
	switch {
	case !ok || !h.options.showValues():
	case utf8.ValidString(value):
		d.Value = &value
	default:
		d.ValueBase64 = new(base64.StdEncoding.EncodeToString([]byte(value)))
	}
	return d
}
