package debugpage

import (
	"cmp"
	"slices"
	"strings"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// A listing is one page of the keys that a view asks for. Its URLs are empty where they
// would lead nowhere.
type listing struct {
	Keys     []row
	View     view
	Prefix   string
	BySize   bool // the biggest come first
	All      int  // keys of the map
	Matching int  // keys with the prefix
	First    int  // the number of the first key of the page, from 1
	Last     int
	Biggest  int // bytes of the biggest key of the page

	SizeURL, NameURL, AllURL, PreviousURL, NextURL string
}

// A row is one key. Sizes are in bytes.
type row struct {
	Key   string `json:"key"`
	Bytes int    `json:"bytes"`
	Value string `json:"-"` // its beginning, quoted; empty when values are hidden
}

// keysOf lists the keys that have v's prefix, in v's order.
func keysOf(snapshot *mapstore.Snapshot, v view) []row {
	var rows []row
	for key, value := range snapshot.All() {
		if strings.HasPrefix(key, v.prefix) {
			rows = append(rows, row{Key: key, Bytes: len(value)})
		}
	}
	if v.sort == bySize {
		slices.SortStableFunc(rows, func(a, b row) int { return cmp.Compare(b.Bytes, a.Bytes) })
	}
	return rows
}

// list cuts one page out of all keys.
func (h *Handler) list(snapshot *mapstore.Snapshot, v view) listing {
	rows := keysOf(snapshot, v)
	pages := max(1, (len(rows)+keysOnAPage-1)/keysOnAPage)
	v.page = min(v.page, pages) // keys may have gone since the link was made
	v = v.list()
	first, last := (v.page-1)*keysOnAPage, min(v.page*keysOnAPage, len(rows))
	l := listing{
		Keys: rows[first:last], View: v, Prefix: v.prefix, BySize: v.sort == bySize,
		All: snapshot.Len(), Matching: len(rows), First: first + 1, Last: last,
		SizeURL: v.withSort(bySize).URL(), NameURL: v.withSort(byName).URL(), AllURL: v.withPrefix("").URL(),
	}
	if v.page > 1 {
		l.PreviousURL = v.withPage(v.page - 1).URL()
	}
	if v.page < pages {
		l.NextURL = v.withPage(v.page + 1).URL()
	}
	for i := range l.Keys {
		l.Biggest = max(l.Biggest, l.Keys[i].Bytes)
		if h.options.showValues() {
			value, _ := snapshot.Get(l.Keys[i].Key)
			l.Keys[i].Value = preview(value)
		}
	}
	return l
}

// KeyURL returns the link to the page of one key.
func (l listing) KeyURL(key string) string { return l.View.withKey(key).URL() }

// Bar returns how much of the row's bar is full, in percent.
func (l listing) Bar(r row) float64 {
	if l.Biggest == 0 {
		return 0
	}
	return float64(r.Bytes) * 100 / float64(l.Biggest)
}
