package main

import (
	"slices"
	"strings"
)

// A difference is what has become of the lines of the listing. A line that has changed
// is among both.
type difference struct{ gone, added []string }

func compare(listed, now []string) difference {
	return difference{without(listed, now), without(now, listed)}
}

// without returns the lines that are not among the others; the empty one counts as none.
func without(lines, others []string) []string {
	return slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return line == "" || slices.Contains(others, line) })
}

func (d difference) String() string {
	var parts []string
	if len(d.gone) > 0 {
		parts = append(parts, "gone or changed: code that uses it might not compile any more\n  - "+strings.Join(d.gone, "\n  - "))
	}
	if len(d.added) > 0 {
		parts = append(parts, "not in the listing yet\n  + "+strings.Join(d.added, "\n  + "))
	}
	return strings.Join(parts, "\n")
}
