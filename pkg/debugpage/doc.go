// Package debugpage shows what a store is doing: one page for the people on
// call, in the manner of net/http/pprof.
//
//	page := debugpage.New(store, debugpage.Options{})
//	http.Handle("/debug/mapstore/", page)
//
// It answers, in this order: is the copy fresh, which version is it and how old,
// how full is the map, are writes working, is a callback behind, what changed
// last, and which keys are there and how big.
//
// # Who may see it
//
// Whoever can reach the page sees the names and sizes of all keys, the names of
// the functions that subscribe, and the texts of errors. So it belongs on a port
// that only operators can reach, beside pprof. It changes nothing, whatever is
// asked of it. Values are hidden unless [Options.Values] says otherwise, and then
// they are shown nowhere else.
//
// # What it costs
//
// While nobody looks, a page is one subscription and the last changes: no
// goroutine, and less than half a megabyte. It keeps no version of the map in memory
// that the store does not, except the last one that its subscription was told of:
// see SECURITY.md on versions in memory.
//
// Without JavaScript the page is complete as of its loading. With it, the page
// updates itself by server-sent events. The same templates render them, at most
// twice a second and once for all viewers, and only the parts that differ are sent.
// Viewers never wait for one another, and the store waits for none of them. A
// browser that stops reading misses updates, and is disconnected when its connection
// has been full for ten seconds. A page that gets no updates says so, and can be
// reloaded.
//
// # For scripts
//
// With ?format=json, or a request that accepts application/json and not
// text/html, the same figures come as JSON, with all keys:
//
//	curl -s localhost:6060/debug/mapstore/?format=json | jq .status
//
// Later versions may add fields.
package debugpage
