package rig

import (
	"net/http"
	"sync/atomic"
)

// Traffic counts what goes through a transport.
type Traffic struct {
	next                    http.RoundTripper
	puts, conflicts, others atomic.Int64
	watches                 atomic.Int64
}

// Watches returns how many watches have been opened so far.
func (t *Traffic) Watches() int64 { return t.watches.Load() }

// Counting returns a transport that counts, as this one does, what goes through another.
func (t *Traffic) Counting(next http.RoundTripper) http.RoundTripper { return counting{t, next} }

type counting struct {
	*Traffic
	next http.RoundTripper
}

func (c counting) RoundTrip(request *http.Request) (*http.Response, error) {
	c.count(request)
	return c.next.RoundTrip(request)
}

func (t *Traffic) count(request *http.Request) {
	if request.Method != http.MethodPut {
		t.others.Add(1)
	}
	if request.URL.Query().Has("watch") {
		t.watches.Add(1)
	}
}

// Counts are numbers of requests.
type Counts struct {
	PUTs      int64 // among them the conflicts
	Conflicts int64 // PUTs that were answered by 409
	Others    int64 // GETs, lists, watches
}

// Counts returns what there has been so far.
func (t *Traffic) Counts() Counts {
	return Counts{t.puts.Load(), t.conflicts.Load(), t.others.Load()}
}

// Since returns what has been added since before.
func (c Counts) Since(before Counts) Counts {
	return c.Plus(Counts{-before.PUTs, -before.Conflicts, -before.Others})
}

// Plus returns the sum.
func (c Counts) Plus(d Counts) Counts {
	return Counts{c.PUTs + d.PUTs, c.Conflicts + d.Conflicts, c.Others + d.Others}
}

// CommitShare is the share of the PUTs that met no conflict; 0 without any.
func (c Counts) CommitShare() float64 {
	return float64(c.PUTs-c.Conflicts) / float64(max(c.PUTs, 1))
}

// RoundTrip sends a request.
func (t *Traffic) RoundTrip(request *http.Request) (*http.Response, error) {
	t.count(request)
	if request.Method != http.MethodPut {
		return t.next.RoundTrip(request)
	}
	t.puts.Add(1)
	response, err := t.next.RoundTrip(request)
	if err == nil && response.StatusCode == http.StatusConflict {
		t.conflicts.Add(1)
	}
	return response, err
}
