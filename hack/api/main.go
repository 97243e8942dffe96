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
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/tools/go/packages"
)

func main() {
	write := flag.Bool("write", false, "add what is new to the listing")
	drop := flag.Bool("break", false, "rewrite the listing, and so drop what is gone")
	flag.Parse()
	if err := run(*write, *drop); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(write, drop bool) error {
	root, err := filepath.Abs("../..")
	if err != nil {
		return err
	}
	now, err := listing(root)
	if err != nil {
		return err
	}
	path := filepath.Join(root, "api", "v2.txt")
	text, err := os.ReadFile(path)
	if err != nil && !drop {
		return err
	}
	listed := strings.FieldsFunc(string(text), func(r rune) bool { return r == '\n' })
	gone, added := without(listed, now), without(now, listed)
	switch {
	case len(gone) > 0 && !drop:
		return fmt.Errorf("gone or changed: code that uses it might not compile any more\n  - %s\n%s", strings.Join(gone, "\n  - "), howToBreak)
	case write || drop:
		return os.WriteFile(path, []byte(strings.Join(now, "\n")+"\n"), 0o644)
	case len(added) > 0:
		return fmt.Errorf("not in the listing yet\n  + %s\nrun make api, and commit the listing with the code", strings.Join(added, "\n  + "))
	case !slices.Equal(listed, now):
		return fmt.Errorf("%s is not sorted", path)
	}
	return nil
}

const howToBreak = `A released line stays until the next major version: keep what it says beside the
new, marked as Deprecated (docs/support.md). Only for what no release has had:
make api BREAK=yes.`

// without returns the lines that are not among the others.
func without(lines, others []string) []string {
	return slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return slices.Contains(others, line) })
}

// listing returns the lines of all public packages, sorted. The platform is always the
// same, so that the listing is.
func listing(root string) ([]string, error) {
	loaded, err := packages.Load(&packages.Config{
		Mode: packages.NeedName | packages.NeedTypes | packages.NeedFiles,
		Dir:  root,
		Env:  append(os.Environ(), "GOWORK="+filepath.Join(root, "go.work"), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0"),
	}, "./pkg/...", "./metrics/...", "./controller/...")
	if err != nil {
		return nil, err
	}
	var all []string
	for _, pkg := range loaded {
		if len(pkg.Errors) > 0 {
			return nil, fmt.Errorf("package %s: %w", pkg.PkgPath, pkg.Errors[0])
		}
		path, err := filepath.Rel(root, pkg.Dir)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(strings.Split(path, string(filepath.Separator)), "internal") {
			all = append(all, lines(filepath.ToSlash(path), pkg.Types)...)
		}
	}
	if len(all) == 0 {
		return nil, errors.New("no exported symbol found")
	}
	slices.Sort(all)
	return all, nil
}
