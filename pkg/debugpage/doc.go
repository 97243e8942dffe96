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
// asked of it. Values are hidden unless [Options.Values] says otherwise; then
// they are in no other place of this package than the page.
//
// # What it costs
//
// While nobody looks, a page is one subscription and the last changes: no
// goroutine, and less than half a megabyte. It keeps alive no version of the map
// that the store itself does not, except the one that its subscription was last
// told of: see SECURITY.md on versions in memory.
//
// Without JavaScript the page is complete as of its loading. With it, the page
// follows by server-sent events, which the same templates render: at most twice
// a second and once for all who look, and only the parts that differ are sent.
// Those who look never wait for one another, and the store waits for nobody. A
// browser that stops reading misses what it did not read, and is given up after
// ten seconds in which nothing more fits into its connection. A page that cannot be
// followed says so, and can be reloaded.
//
// # For scripts
//
// With ?format=json, or a request that accepts application/json and not
// text/html, the same figures come as JSON, with all keys:
//
//	curl -s localhost:6060/debug/mapstore/?format=json | jq .status
//
// Names may be added to it.
package debugpage
