package debugpage

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// A view is what a request asks for. It can be compared, so that all who ask for
// the same share what is rendered.
type view struct {
	prefix string // of the keys that are listed
	sort   sortOrder
	page   int // of the list, from 1
	key    string
	hasKey bool // key is the only one that is asked for
	form   form
}

type sortOrder string

const (
	bySize sortOrder = "size" // the biggest first
	byName sortOrder = "name"
)

type form string

const (
	formHTML form = "html"
	formJSON form = "json"
	formLive form = "live" // server-sent events
	formRaw  form = "raw"  // a value as it is
)

const (
	keysOnAPage   = 50
	maxKeyLength  = 253 // of a ConfigMap
	maxPageNumber = 1 << 20
)

// parseView returns what the request asks for, or what is wrong with it. It never
// quotes the query.
func parseView(r *http.Request) (v view, wrong string) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return view{}, "The query is malformed."
	}
	v = view{sort: bySize, page: 1, form: formHTML}
	v.prefix, v.key, v.hasKey = query.Get("prefix"), query.Get("key"), query.Has("key")
	if len(v.prefix) > maxKeyLength {
		return view{}, "The prefix is longer than any key."
	}
	switch order := sortOrder(query.Get("sort")); order {
	case "", bySize:
	case byName:
		v.sort = byName
	default:
		return view{}, "Keys can be sorted by size or name."
	}
	if page := query.Get("page"); page != "" {
		if v.page, err = strconv.Atoi(page); err != nil || v.page < 1 || v.page > maxPageNumber {
			return view{}, "Pages are numbered from 1."
		}
	}
	switch form := form(query.Get("format")); form {
	case "":
		if accept := r.Header.Get("Accept"); strings.Contains(accept, "application/json") && !strings.Contains(accept, "text/html") {
			v.form = formJSON
		}
	case formHTML, formJSON, formLive, formRaw:
		v.form = form
	default:
		return view{}, "The format is html or json."
	}
	return v, ""
}

// URL returns the reference to v, relative to wherever the page is.
func (v view) URL() string {
	query := url.Values{}
	if v.hasKey {
		query.Set("key", v.key)
	}
	if v.prefix != "" {
		query.Set("prefix", v.prefix)
	}
	if v.sort != bySize && v.sort != "" {
		query.Set("sort", string(v.sort))
	}
	if v.page > 1 {
		query.Set("page", strconv.Itoa(v.page))
	}
	if v.form != formHTML && v.form != "" {
		query.Set("format", string(v.form))
	}
	return "?" + query.Encode()
}

func (v view) withKey(key string) view   { v.key, v.hasKey = key, true; return v }
func (v view) withForm(form form) view   { v.form = form; return v }
func (v view) withPage(page int) view    { v.page = page; return v }
func (v view) withSort(o sortOrder) view { v.sort, v.page = o, 1; return v }
func (v view) withPrefix(p string) view  { v.prefix, v.page = p, 1; return v }
func (v view) list() view                { return view{prefix: v.prefix, sort: v.sort, page: v.page, form: formHTML} }
