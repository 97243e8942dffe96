package metrics

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// maxBytes is how many bytes the values of a ConfigMap may have together.
const maxBytes = 1 << 20

// A reading is what a store says of itself at one time.
type reading struct {
	status mapstore.Status
	stats  mapstore.Stats
	keys   int
}

func read(store *mapstore.Store) reading {
	return reading{store.Status(), store.Stats(), store.Snapshot().Len()}
}

func readFamily(family *mapstore.Family) reading {
	r := reading{status: family.Status(), stats: family.Stats()}
	for _, name := range family.Names() {
		r.keys += family.Snapshot(name).Len()
	}
	return r
}

// figures are all the metrics. Times are timestamps and not ages, as a scrape
// may be old itself; shares that rates tell, such as transactions per commit,
// are left to the query.
var figures = []figure{
	gauge("healthy", "1 while the copy is known to be current, 0 while it may be stale: what Check says.",
		func(r reading) float64 { return oneIf(r.status.Err == nil) }),
	gauge("synced", "1 once the copy has been current and followed the API server. Stays 1 through outages.",
		func(r reading) float64 { return oneIf(r.status.Synced) }),
	optional("last_contact_timestamp_seconds", "When the API server was last heard of, at least about once a minute. Missing: never yet.",
		func(r reading) (float64, bool) {
			at := r.status.LastContact
			return float64(at.UnixNano()) / 1e9, !at.IsZero()
		}),
	optional("restored_timestamp_seconds", "Of when the backup is that is served until the API server answers. Missing: none is.",
		func(r reading) (float64, bool) {
			at := r.status.Restored
			return float64(at.UnixNano()) / 1e9, !at.IsZero()
		}),
	counter("reconnects_total", "Watches opened after the first one. Servers end each watch after some minutes.",
		func(r reading) float64 { return float64(r.stats.Reconnects) }),
	gauge("exists", "1 while the ConfigMap exists, else 0. The next write creates it.",
		func(r reading) float64 { return oneIf(r.status.Exists) }),
	optional("revision", "Resource version of the copy. Only its order means anything. Missing: none yet.",
		func(r reading) (float64, bool) {
			revision, err := strconv.ParseUint(r.status.Revision, 10, 64)
			return float64(revision), err == nil
		}),
	counter("versions_total", "Versions of the map that the copy has held.",
		func(r reading) float64 { return float64(r.stats.Versions) }),
	counter("resets_total", "Versions that did not continue the one before: the ConfigMap was recreated, or the cluster rolled back.",
		func(r reading) float64 { return float64(r.stats.Resets) }),

	gauge("keys", "Keys in the map.",
		func(r reading) float64 { return float64(r.keys) }),
	gauge("size_bytes", "Bytes of the values in the map.",
		func(r reading) float64 { return float64(r.status.Bytes) }),
	gauge("size_limit_ratio", "Share of the 1,048,576 bytes that the values of a ConfigMap can have. At 1 writes that add to it fail.",
		func(r reading) float64 { return float64(r.status.Bytes) / maxBytes }),

	labelled("transactions_total", "Calls of Set, Delete, Clear and Update that have returned, by outcome: applied, unknown (ErrUnknownOutcome), aborted (by their own function, not applied), failed (not applied).", "outcome",
		func(r reading) map[string]uint64 {
			return map[string]uint64{"applied": r.stats.Transactions, "unknown": r.stats.UnknownOutcomes, "aborted": r.stats.Aborted, "failed": r.stats.Failures}
		}),
	gauge("writes_failing", "1 while no write has succeeded since one met what is wrong for all of them, as a server that takes none, else 0: what Status().WriteErr says.",
		func(r reading) float64 { return oneIf(r.status.WriteErr != nil) }),
	gauge("queued_transactions", "Transactions that wait for a request. Those whose request is in flight are not among them.",
		func(r reading) float64 { return float64(r.stats.Queued) }),
	counter("commits_total", "Write requests that were applied, or confirmed that there was nothing to change. Each carries one or more transactions.",
		func(r reading) float64 { return float64(r.stats.Commits) }),
	counter("conflicts_total", "Write requests that were void, as another writer was faster. They are retried.",
		func(r reading) float64 { return float64(r.stats.Conflicts) }),
	counter("stood_back_seconds_total", "How long writes have waited for the turns of other stores.",
		func(r reading) float64 { return r.stats.StoodBack.Seconds() }),
	counter("unsigned_commits_total", "Commits whose id has not arrived in the ledger, as an admission policy takes it off. Then a lost answer cannot be looked up.",
		func(r reading) float64 { return float64(r.stats.Unsigned) }),
	summary("write_request_duration_seconds", "How long write requests took, those without an answer included.",
		func(r reading) (uint64, float64) { return r.stats.Requests, r.stats.RequestTime.Seconds() }),

	gauge("subscriptions", "Callbacks that follow the map, those of Values and Deriveds included, and one more for each Value and Derived.",
		func(r reading) float64 { return float64(r.stats.Subscriptions) }),
	gauge("subscription_lag_seconds", "How long the oldest version that a callback has not finished with has been there, for the callback that is furthest behind.",
		func(r reading) float64 { return r.stats.Lag.Seconds() }),
	counter("callback_panics_total", "Panics of callbacks. The log has their stacks.",
		func(r reading) float64 { return float64(r.stats.Panics) }),

	labelled("backups_total", "Attempts to write the backup, by outcome: written, failed.", "outcome",
		func(r reading) map[string]uint64 {
			return map[string]uint64{"written": r.stats.Backups, "failed": r.stats.BackupFailures}
		}),

	gauge("rejected_keys", "Keys whose newest value is rejected, so that an older one is served.",
		func(r reading) float64 { return float64(len(r.status.Rejected)) }),
	counter("rejections_total", "New texts of keys that were rejected.",
		func(r reading) float64 { return float64(r.stats.Rejections) }),
}

func oneIf(condition bool) float64 {
	if condition {
		return 1
	}
	return 0
}

// A figure is one metric, with as many series as its labels have values.
type figure struct {
	name, help string
	labels     []string // in addition to the labels that name the map
	export     func(d *prometheus.Desc, r reading, ch chan<- prometheus.Metric)
}

func gauge(name, help string, value func(reading) float64) figure {
	return optional(name, help, func(r reading) (float64, bool) { return value(r), true })
}

// optional is a gauge that is not always there.
func optional(name, help string, value func(reading) (float64, bool)) figure {
	return figure{name, help, nil, func(d *prometheus.Desc, r reading, ch chan<- prometheus.Metric) {
		if v, ok := value(r); ok {
			ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v)
		}
	}}
}

func counter(name, help string, value func(reading) float64) figure {
	return figure{name, help, nil, func(d *prometheus.Desc, r reading, ch chan<- prometheus.Metric) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, value(r))
	}}
}

// labelled is a counter for each value of a label. All of them are always there,
// from zero on: of a series that begins at one, a rate does not see the one.
func labelled(name, help, label string, values func(reading) map[string]uint64) figure {
	return figure{name, help, []string{label}, func(d *prometheus.Desc, r reading, ch chan<- prometheus.Metric) {
		for of, v := range values(r) {
			ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), of)
		}
	}}
}

// summary has no quantiles: they could not be added up over stores.
func summary(name, help string, value func(reading) (count uint64, sum float64)) figure {
	return figure{name, help, nil, func(d *prometheus.Desc, r reading, ch chan<- prometheus.Metric) {
		count, sum := value(r)
		ch <- prometheus.MustNewConstSummary(d, count, sum, nil)
	}}
}
