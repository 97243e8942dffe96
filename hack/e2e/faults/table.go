package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

const (
	beginMarker = "<!-- faults:begin -->"
	endMarker   = "<!-- faults:end -->"
)

// line is the result as progress shows it.
func (r result) line() string {
	line := fmt.Sprintf("%-6s %s (%.0f s): acknowledged %d, unknown %d, failed %d, lost %d, doubled %d; noticed %s, fresh %s; no write for %s, behind for %s; %d versions",
		r.verdict(), r.name, r.took.Seconds(), r.acknowledged, r.unknown, r.failed, r.lost, r.doubled, rounded(r.noticed), rounded(r.fresh),
		rounded(r.gaps.writes), rounded(r.gaps.copies), r.versions)
	if r.evidence != "" {
		line += "; " + r.evidence
	}
	if r.err != nil {
		line += "\n    " + strings.ReplaceAll(r.err.Error(), "\n", "\n    ")
	}
	return line
}

func (r result) verdict() string {
	if r.err != nil {
		return "FAILED"
	}
	return "ok"
}

// tableOf returns the results as a Markdown table.
func tableOf(results []result) string {
	var table strings.Builder
	table.WriteString("| Fault | Acknowledged | Unknown | Not applied | Lost | Doubled | Noticed | Fresh again | No write for | Behind for | Versions | Verdict |\n")
	table.WriteString("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|\n")
	for _, r := range results {
		fmt.Fprintf(&table, "| %s | %d | %d | %d | %d | %d | %s | %s | %s | %s | %d | %s |\n",
			strings.ReplaceAll(r.name, "|", `\|`), r.acknowledged, r.unknown, r.failed, r.lost, r.doubled, rounded(r.noticed), rounded(r.fresh),
			rounded(r.gaps.writes), rounded(r.gaps.copies), r.versions, r.verdict())
	}
	return table.String()
}

// gapsOf returns what those on a control plane as in production had to wait for, as a Markdown
// table.
func gapsOf(results []result) string {
	var table strings.Builder
	table.WriteString("| What happens | No write for | Copy behind for | Said so after | Fresh again after it |\n|---|--:|--:|--:|--:|\n")
	for _, r := range results {
		if r.production {
			fmt.Fprintf(&table, "| %s | %s | %s | %s | %s |\n", r.name, rounded(r.gaps.writes), rounded(r.gaps.copies), rounded(r.noticed), rounded(r.fresh))
		}
	}
	return table.String()
}

// replaceInFile puts text between the markers in a file, in place of what is
// there.
func replaceInFile(path, text string) error {
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	updated, err := replaceBetween(string(old), text)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, []byte(updated), 0o644)
}

func replaceBetween(page, text string) (string, error) {
	before, rest, ok := strings.Cut(page, beginMarker)
	_, after, closed := strings.Cut(rest, endMarker)
	if !ok || !closed || strings.Contains(after, beginMarker) || strings.Contains(after, endMarker) {
		return "", errors.New("want one " + beginMarker + " and, after it, one " + endMarker)
	}
	return before + beginMarker + "\n" + text + endMarker + after, nil
}
