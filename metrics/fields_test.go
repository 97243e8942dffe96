package metrics

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// exposition is what is exported of a reading.
func exposition(t *testing.T, r reading) map[string]bool {
	t.Helper()
	ch := make(chan prometheus.Metric, 100)
	for _, f := range families {
		f.export(prometheus.NewDesc(f.name, f.help, f.labels, nil), r, ch)
	}
	close(ch)
	lines := map[string]bool{}
	for m := range ch {
		var value dto.Metric
		if err := m.Write(&value); err != nil {
			t.Fatal(err)
		}
		lines[m.Desc().String()+" "+value.String()] = true
	}
	return lines
}

// differing returns another value of the field's type.
func differing(t *testing.T, field reflect.Value) reflect.Value {
	t.Helper()
	switch field.Interface().(type) {
	case bool:
		return reflect.ValueOf(true)
	case int:
		return reflect.ValueOf(7)
	case uint64:
		return reflect.ValueOf(uint64(7))
	case string:
		return reflect.ValueOf("7")
	case []string:
		return reflect.ValueOf([]string{"7"})
	case time.Duration:
		return reflect.ValueOf(7 * time.Second)
	case time.Time:
		return reflect.ValueOf(time.Unix(7, 0))
	}
	if field.Type() == reflect.TypeFor[error]() {
		return reflect.ValueOf(errors.New("on purpose"))
	}
	t.Fatalf("no other %v: add one", field.Type())
	panic("unreachable")
}

// So a field that is added to Stats or Status cannot be forgotten here.
func TestEveryFieldOfStatsAndStatusIsExported(t *testing.T) {
	before := exposition(t, reading{})
	seen := map[string]string{} // which field alters a set of metrics
	for _, part := range []string{"stats", "status"} {
		field := func(r *reading) reflect.Value {
			if part == "stats" {
				return reflect.ValueOf(&r.stats).Elem()
			}
			return reflect.ValueOf(&r.status).Elem()
		}
		for i := range field(&reading{}).NumField() {
			var r reading
			name := part + "." + field(&r).Type().Field(i).Name
			field(&r).Field(i).Set(differing(t, field(&r).Field(i)))
			after := exposition(t, r)
			var altered []string
			for line := range maps.Keys(after) {
				if !before[line] {
					altered = append(altered, line)
				}
			}
			for line := range before {
				if !after[line] {
					altered = append(altered, "no more: "+line)
				}
			}
			if len(altered) == 0 {
				t.Errorf("no metric tells of %s: add one to families", name)
				continue
			}
			slices.Sort(altered)
			all := strings.Join(altered, "\n")
			if other, ok := seen[all]; ok {
				t.Errorf("%s cannot be told from %s:\n%s", name, other, all)
			}
			seen[all] = name
		}
	}
}
