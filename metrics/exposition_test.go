package metrics

import (
	"os"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// A fixed collector exports a reading that no store has made.
type fixed struct {
	reading
	descriptions []*prometheus.Desc
}

func (f fixed) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(f, ch) }

func (f fixed) Collect(ch chan<- prometheus.Metric) {
	for i, family := range families {
		family.export(f.descriptions[i], f.reading, ch)
	}
}

// Every figure is another one, so that none can stand where another should.
func TestEachFigureHasItsNameAndItsUnit(t *testing.T) {
	store, err := mapstore.New(fake.NewClientset(), "default", "settings", mapstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	want, err := os.Open("testdata/metrics.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer want.Close()
	if err := testutil.CollectAndCompare(fixed{reading{
		status: mapstore.Status{
			Exists:      true,
			Revision:    "9007199254740991", // 2^53-1, the last one that a float64 tells from the next
			Bytes:       1 << 18,
			LastContact: time.Unix(1700000000, 5e8),
			Rejected:    make([]string, 15),
		},
		stats: mapstore.Stats{
			Versions: 2, Resets: 3, Reconnects: 4,
			Requests: 5, RequestTime: 1500 * time.Millisecond, Commits: 6, Conflicts: 7,
			Transactions: 8, UnknownOutcomes: 9, Aborted: 17, Failures: 10, Queued: 11,
			Panics: 12, Subscriptions: 13, Lag: 250 * time.Millisecond, Rejections: 16,
		},
		keys: 14,
	}, describe(store)}, want); err != nil {
		t.Error(err)
	}
}
