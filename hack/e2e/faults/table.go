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

// replaceInFile puts text between the markers in a file, in place of what is there. If only some
// of the rows have been run, those of the table that is there are replaced, and all else stays.
func replaceInFile(path, text string, onlyRows bool) error {
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	replace := replaceBetween
	if onlyRows {
		replace = replaceRows
	}
	updated, err := replace(string(old), text)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, []byte(updated), 0o644)
}

func replaceBetween(page, text string) (string, error) {
	before, _, after, err := cutTable(page)
	if err != nil {
		return "", err
	}
	return before + beginMarker + "\n" + text + endMarker + after, nil
}

// replaceRows replaces each row of the page's table by that of the same name in text, whose first
// line says how it was run. A table that was run otherwise stays as it is.
func replaceRows(page, text string) (string, error) {
	before, table, after, err := cutTable(page)
	if err != nil {
		return "", err
	}
	if how, _, _ := strings.Cut(text, "\n"); !strings.HasPrefix(table, "\n"+how+"\n") {
		return page, nil
	}
	rows := make(map[string]string)
	for line := range strings.Lines(text) {
		rows[nameOf(line)] = line
	}
	delete(rows, "")
	var updated strings.Builder
	for line := range strings.Lines(table) {
		if row, ok := rows[nameOf(line)]; ok {
			line = row
		}
		updated.WriteString(line)
	}
	return before + beginMarker + updated.String() + endMarker + after, nil
}

// nameOf returns the name of a row of a table, and nothing of its head and of other lines.
func nameOf(line string) string {
	name, _, ok := strings.Cut(strings.TrimPrefix(line, "| "), " | ")
	if !ok || !strings.HasPrefix(line, "| ") || name == "Fault" || name == "What happens" {
		return ""
	}
	return name
}

func cutTable(page string) (before, table, after string, err error) {
	before, rest, ok := strings.Cut(page, beginMarker)
	table, after, closed := strings.Cut(rest, endMarker)
	if !ok || !closed || strings.Contains(after, beginMarker) || strings.Contains(after, endMarker) {
		return "", "", "", errors.New("want one " + beginMarker + " and, after it, one " + endMarker)
	}
	return before, table, after, nil
}
