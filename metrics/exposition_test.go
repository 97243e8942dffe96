package metrics

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
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

func newFixed(t *testing.T, r reading) fixed {
	t.Helper()
	store, err := mapstore.New(fake.NewClientset(), "default", "settings", mapstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	return fixed{r, describe(store.Namespace(), store.Name())}
}

func (f fixed) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(f, ch) }

func (f fixed) Collect(ch chan<- prometheus.Metric) {
	for i, figure := range figures {
		figure.export(f.descriptions[i], f.reading, ch)
	}
}

// Every figure is another one, so that none can stand where another should.
func TestEachFigureHasItsNameAndItsUnit(t *testing.T) {
	want, err := os.Open("testdata/metrics.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer want.Close()
	if err := testutil.CollectAndCompare(newFixed(t, reading{
		status: mapstore.Status{
			Exists:      true,
			Revision:    "9007199254740991", // 2^53-1, the last one that a float64 tells from the next
			Bytes:       1 << 18,
			LastContact: time.Unix(1700000000, 5e8),
			Restored:    time.Unix(1600000000, 5e8),
			Rejected:    make([]string, 15),
			WriteErr:    errors.New("on purpose"),
		},
		stats: mapstore.Stats{
			Versions: 2, Resets: 3, Reconnects: 4,
			Requests: 5, RequestTime: 1500 * time.Millisecond, Commits: 6, Conflicts: 7, StoodBack: 2500 * time.Millisecond, Unsigned: 3,
			Transactions: 8, UnknownOutcomes: 9, Aborted: 17, Failures: 10, Queued: 11,
			Backups: 18, BackupFailures: 19,
			Panics: 12, Subscriptions: 13, Lag: 250 * time.Millisecond, Rejections: 16,
		},
		keys: 14,
	}), want); err != nil {
		t.Error(err)
	}
}

// differing returns another value of the field's type.
func differing(t *testing.T, field reflect.Value) reflect.Value {
	t.Helper()
	for _, other := range []any{true, 7, uint64(7), "7", []string{"7"}, 7 * time.Second, time.Unix(7, 0), errors.New("on purpose")} {
		if v := reflect.ValueOf(other); v.Type().AssignableTo(field.Type()) {
			return v
		}
	}
	t.Fatalf("no other %v: add one", field.Type())
	panic("unreachable")
}

// textsOnly are the fields of Status that say in words what other fields say in figures.
var textsOnly = []string{"Reasons", "LastFailure"}

// So a field that is added to Stats or Status cannot be forgotten here.
func TestEveryFieldOfStatsAndStatusIsExported(t *testing.T) {
	export := func(r reading) string {
		reg := prometheus.NewRegistry()
		reg.MustRegister(newFixed(t, r))
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(families)
	}
	seen := map[string]string{export(reading{}): "none"} // which field was altered for a text
	check := func(r *reading, field reflect.Value, name string) {
		field.Set(differing(t, field))
		text := export(*r)
		if other, ok := seen[text]; ok {
			t.Errorf("no metric tells %s from %s: add one to figures", name, other)
		}
		seen[text] = name
	}
	for i := range reflect.TypeFor[mapstore.Stats]().NumField() {
		var r reading
		stats := reflect.ValueOf(&r.stats).Elem()
		check(&r, stats.Field(i), stats.Type().Field(i).Name)
	}
	for i := range reflect.TypeFor[mapstore.Status]().NumField() {
		var r reading
		status := reflect.ValueOf(&r.status).Elem()
		if name := status.Type().Field(i).Name; !slices.Contains(textsOnly, name) {
			check(&r, status.Field(i), name)
		}
	}
}
