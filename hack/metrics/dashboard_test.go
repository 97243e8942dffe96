package metrics

import (
	"encoding/json"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
)

// A dashboard is what these tests look at of Grafana's format.
type dashboard struct {
	Inputs     []struct{ Type, PluginID string } `json:"__inputs"`
	Templating struct {
		List []struct{ Name, Type, Definition string }
	}
	Panels []struct {
		Type, Title, Description string
		FieldConfig              struct {
			Defaults struct {
				Unit       string
				Thresholds struct{ Steps []json.RawMessage }
			}
		}
		Targets []struct{ Expr string }
	}
}

func readDashboard(t *testing.T) dashboard {
	t.Helper()
	data, err := os.ReadFile("../../metrics/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(data, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// units are the units of Grafana that the dashboard may use. Grafana shows any other
// name as text behind the number.
var units = []string{"none", "short", "s", "percentunit", "ops", "cpm"}

func TestEachPanelOfTheDashboardSaysWhatItShows(t *testing.T) {
	for _, p := range readDashboard(t).Panels {
		defaults := p.FieldConfig.Defaults
		if p.Type != "row" && (p.Description == "" || !slices.Contains(units, defaults.Unit) || len(defaults.Thresholds.Steps) == 0 || len(p.Targets) == 0) {
			t.Errorf("panel %q has no description, unit, thresholds or queries", p.Title)
		}
	}
}

func TestTheDashboardCanBeImported(t *testing.T) {
	d := readDashboard(t)
	if len(d.Inputs) != 1 || d.Inputs[0].Type != "datasource" || d.Inputs[0].PluginID != "prometheus" {
		t.Errorf("it asks for %v, not for a data source", d.Inputs)
	}
	var variables []string
	for _, v := range d.Templating.List {
		variables = append(variables, v.Name)
		if v.Type == "query" && !strings.HasPrefix(v.Definition, "label_values(mapstore_healthy") {
			t.Errorf("variable %s: %q", v.Name, v.Definition)
		}
	}
	if !slices.Equal(variables, []string{"datasource", "namespace", "configmap"}) {
		t.Errorf("variables %v", variables)
	}
}

// expand puts in what Grafana does for its variables.
func expand(expr string) string {
	return strings.NewReplacer("$__rate_interval", "1m", "$__range", "5m", "$namespace", ".*", "$configmap", "set.*").Replace(expr)
}

func TestEveryQueryOfTheDashboardIsAnswered(t *testing.T) {
	h, now := observe(t, 10)
	panels := readDashboard(t).Panels
	if len(panels) < 10 {
		t.Errorf("%d panels", len(panels))
	}
	for _, p := range panels {
		for _, target := range p.Targets {
			expr := expand(target.Expr)
			parsed, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
			if err != nil {
				t.Errorf("%s: %v", p.Title, err)
				continue
			}
			for _, selector := range parser.ExtractSelectors(parsed) {
				if !slices.ContainsFunc(selector, isOf("namespace")) || !slices.ContainsFunc(selector, isOf("configmap")) {
					t.Errorf("%s: %v is not only of the maps that were chosen", p.Title, selector)
				}
			}
			answer := h.query(t, expr, now)
			if len(answer) == 0 {
				t.Errorf("%s: nothing answers %s", p.Title, expr)
			}
			for _, sample := range answer {
				if math.IsNaN(sample.F) || math.IsInf(sample.F, 0) || sample.F < 0 {
					t.Errorf("%s: %s gives %v", p.Title, expr, sample)
				}
			}
		}
	}
}

func TestTheDashboardShowsEveryMetric(t *testing.T) {
	data, err := os.ReadFile("../../metrics/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	unshown := []string{
		"mapstore_synced",     // healthy says more
		"mapstore_exists",     // for alerts of one's own, where a map must be there
		"mapstore_revision",   // to compare stores with, by hand
		"mapstore_size_bytes", // its share of the limit is shown
		"mapstore_versions_total",
	}
	for _, family := range newTarget(t).scrape() {
		name := family.GetName()
		if shown := regexp.MustCompile(name + `(_sum)?\b`).Match(data); shown == slices.Contains(unshown, name) {
			t.Errorf("%s is shown: %v", name, shown)
		}
	}
}
