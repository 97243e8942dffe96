package rig

import (
	"net/http"
	"sync/atomic"
)

// Traffic counts what goes through a transport.
type Traffic struct {
	next                               http.RoundTripper
	puts, conflicts, gets, lists, rest atomic.Int64
	watches                            atomic.Int64
}

// Counts are numbers of requests.
type Counts struct {
	PUTs      int64 // among them the conflicts
	Conflicts int64 // PUTs that were answered by 409
	GETs      int64 // of one object
	Lists     int64
	Watches   int64
	Others    int64
}

// Counts returns what there has been so far.
func (t *Traffic) Counts() Counts {
	return Counts{t.puts.Load(), t.conflicts.Load(), t.gets.Load(), t.lists.Load(), t.watches.Load(), t.rest.Load()}
}

// Since returns what has been added since before.
func (c Counts) Since(before Counts) Counts {
	return c.Plus(Counts{-before.PUTs, -before.Conflicts, -before.GETs, -before.Lists, -before.Watches, -before.Others})
}

// Plus returns the sum.
func (c Counts) Plus(d Counts) Counts {
	return Counts{c.PUTs + d.PUTs, c.Conflicts + d.Conflicts, c.GETs + d.GETs, c.Lists + d.Lists, c.Watches + d.Watches, c.Others + d.Others}
}

// Total is the number of all requests.
func (c Counts) Total() int64 { return c.PUTs + c.GETs + c.Lists + c.Watches + c.Others }

// CommitShare is the share of the PUTs that met no conflict; 0 without any.
func (c Counts) CommitShare() float64 {
	return float64(c.PUTs-c.Conflicts) / float64(max(c.PUTs, 1))
}

// RoundTrip sends a request.
func (t *Traffic) RoundTrip(request *http.Request) (*http.Response, error) {
	query := request.URL.Query()
	switch {
	case request.Method == http.MethodPut:
		t.puts.Add(1)
	case query.Has("watch"):
		t.watches.Add(1)
	case query.Has("fieldSelector"):
		t.lists.Add(1)
	case request.Method == http.MethodGet:
		t.gets.Add(1)
	default:
		t.rest.Add(1)
	}
	response, err := t.next.RoundTrip(request)
	if err == nil && request.Method == http.MethodPut && response.StatusCode == http.StatusConflict {
		t.conflicts.Add(1)
	}
	return response, err
}

// CloseIdleConnections is what http.Client's method of that name calls.
func (t *Traffic) CloseIdleConnections() {
	if closer, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		closer.CloseIdleConnections()
	}
}
