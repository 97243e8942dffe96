package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// A difference is what has become of the lines of the listing.
type difference struct {
	broken []breakage
	added  []string // lines that are not there in place of a broken one
}

// A breakage is a line that the code no longer has.
type breakage struct{ old, new string } // new is empty when the symbol is gone

// compare expects both to be without doubles.
func compare(listed, now []string) difference {
	var d difference
	gone := without(listed, now)
	d.added = without(now, listed)
	for _, old := range gone {
		b := breakage{old: old}
		if i := slices.IndexFunc(d.added, func(line string) bool { return symbol(line) == symbol(old) }); i >= 0 {
			b.new = d.added[i]
			d.added = slices.Delete(d.added, i, i+1)
		}
		d.broken = append(d.broken, b)
	}
	return d
}

// without returns the lines that are not among the others; the empty one counts as none.
func without(lines, others []string) []string {
	var rest []string
	for _, line := range lines {
		if line != "" && !slices.Contains(others, line) {
			rest = append(rest, line)
		}
	}
	return rest
}

// A line begins with a method, a field, or a constant, variable, function or type.
var beginning = regexp.MustCompile(`^(\S+), (?:method \(\*?(\w+)(?:\[[^\]]*\])?\) (\w+)|type (\w+) struct, (embedded \S+|\w+)|(\w+ \w+))`)

// symbol is what a line is about: all up to the name, without the type, and without
// the pointer of a receiver.
func symbol(line string) string { return strings.Join(beginning.FindStringSubmatch(line)[1:], " ") }

func (d difference) String() string {
	var b strings.Builder
	for _, broken := range d.broken {
		if broken.new == "" {
			fmt.Fprintf(&b, "gone: code that uses it would not compile any more\n  - %s\n", broken.old)
		} else {
			fmt.Fprintf(&b, "changed: code that uses it as it was might not compile any more\n  - %s\n  + %s\n", broken.old, broken.new)
		}
	}
	if len(d.added) > 0 {
		fmt.Fprintf(&b, "new, and not in the listing yet\n  + %s\n", strings.Join(d.added, "\n  + "))
	}
	return strings.TrimSuffix(b.String(), "\n")
}
