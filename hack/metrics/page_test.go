package metrics

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// section returns the part of docs/observability.md under a heading.
func section(t *testing.T, heading string) string {
	t.Helper()
	data, err := os.ReadFile("../../docs/observability.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(data), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("there is no heading %q", heading)
	}
	text, _, _ := strings.Cut(after, "\n## ")
	return text
}

func TestThePageListsTheMetricsAsTheyAre(t *testing.T) {
	var listed, exported []string
	for _, row := range regexp.MustCompile("(?m)^\\| `(mapstore_.*)` \\| (.*) \\| (.*) \\|$").FindAllStringSubmatch(section(t, "Metrics"), -1) {
		listed = append(listed, fmt.Sprintf("%s, %s: %s", row[1], row[2], row[3]))
	}
	for _, family := range slices.Concat(newTarget(t).scrape(), newRestored(t).scrape()) {
		exported = append(exported, fmt.Sprintf("%s, %s: %s", family.GetName(), strings.ToLower(family.GetType().String()), family.GetHelp()))
	}
	slices.Sort(listed)
	slices.Sort(exported)
	exported = slices.Compact(exported) // most are of both
	if !slices.Equal(listed, exported) {
		t.Errorf("listed:\n%s\nexported:\n%s", strings.Join(listed, "\n"), strings.Join(exported, "\n"))
	}
}

func TestThePageListsTheAlertsAsTheyAre(t *testing.T) {
	var listed []string
	for _, row := range regexp.MustCompile(`(?m)^\| (Mapstore\w+) \|`).FindAllStringSubmatch(section(t, "Dashboard and alerts"), -1) {
		listed = append(listed, row[1])
	}
	if defined := slices.Sorted(maps.Keys(readAlerts(t))); !slices.Equal(slices.Sorted(slices.Values(listed)), defined) {
		t.Errorf("listed %v, defined %v", listed, defined)
	}
}

func TestTheQueriesOfThePageAreAnswered(t *testing.T) {
	h, now := observe(t, 20)
	queries := regexp.MustCompile("(?m)^\\| [a-z ]+ \\| `([^`]+)` \\|$").FindAllStringSubmatch(section(t, "Metrics"), -1)
	if len(queries) == 0 {
		t.Error("there are none")
	}
	for _, row := range queries {
		if len(h.query(t, row[1], now)) != 1 {
			t.Errorf("no answer to %s", row[1])
		}
	}
}
