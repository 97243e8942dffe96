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
	Inputs     []struct{ Name, Type, PluginID string } `json:"__inputs"`
	Title      string
	Templating struct {
		List []struct{ Name, Type, Definition string }
	}
	Panels []panel
}

type panel struct {
	ID          int
	Type, Title string
	Description string
	GridPos     struct{ X, Y, W, H int }
	FieldConfig struct {
		Defaults struct {
			Unit       string
			Thresholds struct{ Steps []json.RawMessage }
		}
	}
	Targets []struct{ RefID, Expr string }
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
	d := readDashboard(t)
	titles, ids := map[string]bool{}, map[int]bool{}
	cells := map[[2]int]string{}
	for _, p := range d.Panels {
		if p.Title == "" || titles[p.Title] || p.ID == 0 || ids[p.ID] {
			t.Errorf("panel %d %q: title or id is missing or taken", p.ID, p.Title)
		}
		titles[p.Title], ids[p.ID] = true, true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := cells[[2]int{x, y}]; other != "" || x >= 24 {
					t.Fatalf("panel %q lies over %q or beyond the edge", p.Title, other)
				}
				cells[[2]int{x, y}] = p.Title
			}
		}
		if p.Type == "row" {
			continue
		}
		if p.Description == "" || !slices.Contains(units, p.FieldConfig.Defaults.Unit) || len(p.FieldConfig.Defaults.Thresholds.Steps) == 0 || len(p.Targets) == 0 {
			t.Errorf("panel %q has no description, unit, thresholds or queries", p.Title)
		}
	}
	if len(titles) < 10 {
		t.Errorf("%d panels", len(titles))
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
	for _, p := range readDashboard(t).Panels {
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
	for name := range newTarget(t).scrape() {
		if shown := regexp.MustCompile(name + `(_sum)?\b`).Match(data); shown == slices.Contains(unshown, name) {
			t.Errorf("%s is shown: %v", name, shown)
		}
	}
}
