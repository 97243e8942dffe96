package debugpage

import (
	"cmp"
	"slices"
	"strings"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// A listing is the keys that a view asks for.
type listing struct {
	Keys     []row
	View     view
	All      int // keys of the map
	Matching int // keys with the prefix
	Pages    int
	Biggest  int // bytes of the biggest of the page
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
	l := listing{All: snapshot.Len(), Matching: len(rows), Pages: max(1, (len(rows)+keysOnAPage-1)/keysOnAPage)}
	v.page = min(v.page, l.Pages) // keys may have gone since the link was made
	l.View = v.list()
	l.Keys = rows[min((v.page-1)*keysOnAPage, len(rows)):min(v.page*keysOnAPage, len(rows))]
	for i := range l.Keys {
		l.Biggest = max(l.Biggest, l.Keys[i].Bytes)
		if h.options.showValues() {
			value, _ := snapshot.Get(l.Keys[i].Key)
			l.Keys[i].Value = preview(value)
		}
	}
	return l
}

// First and Last number the keys of the page, from 1.
func (l listing) First() int { return min((l.View.page-1)*keysOnAPage+1, l.Matching) }

func (l listing) Last() int { return min(l.View.page*keysOnAPage, l.Matching) }

// Prefix returns the view's prefix.
func (l listing) Prefix() string { return l.View.prefix }

// BySize reports whether the biggest keys come first.
func (l listing) BySize() bool { return l.View.sort == bySize }

// SizeURL and the methods below return links to other lists, or "" if there is none.
func (l listing) SizeURL() string { return l.View.withSort(bySize).URL() }

func (l listing) NameURL() string { return l.View.withSort(byName).URL() }

func (l listing) AllURL() string { return l.View.withPrefix("").URL() }

func (l listing) PreviousURL() string {
	if l.View.page <= 1 {
		return ""
	}
	return l.View.withPage(l.View.page - 1).URL()
}

func (l listing) NextURL() string {
	if l.View.page >= l.Pages {
		return ""
	}
	return l.View.withPage(l.View.page + 1).URL()
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
