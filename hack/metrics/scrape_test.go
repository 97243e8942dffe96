package metrics

import (
	"strconv"
	"testing"
	"time"
)

func TestAScrapeOfAStoreOnARealAPIServer(t *testing.T) {
	begun := time.Now()
	g := newTarget(t)
	g.work()
	families, status, stats := g.scrape(), g.store.Status(), g.store.Stats()
	revision, err := strconv.ParseFloat(status.Revision, 64)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]float64{
		"mapstore_healthy":                            1,
		"mapstore_synced":                             1,
		"mapstore_exists":                             1,
		"mapstore_revision":                           revision,
		"mapstore_keys":                               3,
		"mapstore_size_bytes":                         float64(status.Bytes),
		"mapstore_commits_total":                      3,
		"mapstore_transactions_total,outcome=applied": 3,
		"mapstore_transactions_total,outcome=failed":  1,
		"mapstore_transactions_total,outcome=aborted": 1,
		"mapstore_transactions_total,outcome=unknown": 0,
	}
	got := map[string]float64{}
	for name, family := range families {
		for _, m := range family.GetMetric() {
			series := name
			for _, label := range m.GetLabel() {
				switch label.GetName() {
				case "namespace", "configmap":
					if want := map[string]string{"namespace": g.store.Namespace(), "configmap": "settings"}[label.GetName()]; label.GetValue() != want {
						t.Errorf("%v, want %q", label, want)
					}
				default:
					series += "," + label.GetName() + "=" + label.GetValue()
				}
			}
			got[series] = m.GetGauge().GetValue() + m.GetCounter().GetValue() // it has one of the two
		}
	}
	for series, want := range want {
		if value, ok := got[series]; !ok || value != want {
			t.Errorf("%s = %v, want %v", series, value, want)
		}
	}
	requests := families["mapstore_write_request_duration_seconds"].GetMetric()[0].GetSummary()
	if requests.GetSampleCount() != stats.Requests || requests.GetSampleSum() != stats.RequestTime.Seconds() || requests.GetSampleSum() <= 0 {
		t.Errorf("%v, want %d requests in %v", requests, stats.Requests, stats.RequestTime)
	}
	contact := time.Unix(0, int64(got["mapstore_last_contact_timestamp_seconds"]*1e9))
	if contact.Before(begun) || contact.After(status.LastContact.Add(time.Millisecond)) { // which may be newer than the scrape
		t.Errorf("the last contact was at %v, not between %v and %v", contact, begun, status.LastContact)
	}
}
