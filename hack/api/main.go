// Api holds the exported API of the public packages against the listing in
// api/v2.txt, which has a line for each symbol, method and field:
//
//	go run .          # fails when a line is missing, changed or new
//	go run . -write   # adds the new lines
//	go run . -break   # also drops the lines that are gone
//
// The listing is text, so that a review sees what becomes of the API, and it is in
// the checkout, so that a shallow clone without tags can be checked. That is why it
// is not apidiff that compares: it needs the old version as a type-checked package,
// which means its sources or compiled export data. Go's own api/go1.txt is kept in
// this way. The rule is the same: a line that has been released never goes away.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	write := flag.Bool("write", false, "add what is new to the listing")
	drop := flag.Bool("break", false, "rewrite the listing, and so drop what is gone")
	flag.Parse()
	if err := run(filepath.Join("..", ".."), *write, *drop); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(root string, write, drop bool) error {
	path := filepath.Join(root, "api", "v2.txt")
	now, err := listing(root)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(path)
	if first := drop && os.IsNotExist(err); err != nil && !first {
		return err
	}
	listed := strings.Split(strings.TrimSpace(string(text)), "\n")
	if string(text) != "" && !slices.IsSorted(listed) && !drop {
		return fmt.Errorf("%s is not sorted", path)
	}
	diff := compare(listed, now)
	if len(diff.gone) > 0 && !drop {
		return fmt.Errorf("%s\n%s", diff, howToBreak)
	}
	switch {
	case write || drop:
		return os.WriteFile(path, []byte(strings.Join(now, "\n")+"\n"), 0o644)
	case len(diff.added) > 0:
		return fmt.Errorf("%s\nrun make api, and commit the listing with the code", diff)
	}
	return nil
}

const howToBreak = `A released line stays until the next major version: keep what it says beside the
new, marked as Deprecated (docs/support.md). Only for what no release has had:
make api BREAK=yes.`
