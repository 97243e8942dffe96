// Package scale measures what one map costs a cluster as it grows: the API server and
// etcd, by the number of watchers and the size of the map. It carries the figures to
// more watchers than fit one machine by a model, and writes both as docs/scale.md.
//
// A watcher is a bare HTTP request for a watch of the one map, whose answer is read and
// thrown away, so that what is measured is the server and not a thousand clients on the
// same machine. The map is written by a store, as users' maps are, and so has their
// ledger and their managed fields.
package scale
