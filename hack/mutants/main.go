// Mutants breaks the promises of the store on purpose, one at a time, and checks
// that the tests catch it. A promise whose mutant survives is a promise that no
// test holds up.
//
// Each mutant is built through the go command's overlay of source files, so the
// working tree is never touched. Run it in its folder:
//
//	go -C hack/mutants run . [-list] [-run regexp] [-v] [-delays]
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

func main() {
	list := flag.Bool("list", false, "only list the mutants")
	pattern := flag.String("run", "", "only those whose line in the list matches this `regexp`")
	late := flag.Bool("delays", false, "instead, delay what tests may not take for granted, and see none fail")
	verbose := flag.Bool("v", false, "show what the tests said")
	flag.Parse()
	selected, err := matching(*pattern)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if *list {
		for _, m := range selected {
			fmt.Println(m)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if *late {
		err = checkDelays(ctx)
	} else {
		err = check(ctx, selected, *verbose)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func matching(pattern string) ([]mutant, error) {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, err
	}
	selected := slices.DeleteFunc(slices.Clone(mutants), func(m mutant) bool { return !re.MatchString(m.String()) })
	if len(selected) == 0 {
		return nil, fmt.Errorf("no mutant matches %q", pattern)
	}
	return selected, nil
}

// check runs the mutants one after the other, and prints a line for each. It
// returns an error unless all were caught.
func check(ctx context.Context, selected []mutant, verbose bool) error {
	start := time.Now()
	passed := 0
	for _, m := range selected {
		start := time.Now()
		verdict, output := m.run(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		fmt.Printf("%-8s %5.1fs  %s\n", verdict, time.Since(start).Seconds(), m)
		if verdict == caught {
			passed++
		}
		if verbose || verdict != caught && verdict != survived {
			fmt.Println(output)
		}
	}
	fmt.Printf("%d passed, %d failed, in %v\n", passed, len(selected)-passed, time.Since(start).Round(time.Second))
	if passed < len(selected) {
		return errors.New("not every mutant was caught")
	}
	return nil
}

// Verdicts. Anything else is an error of the mutant.
const (
	caught   = "caught"
	survived = "SURVIVED"
)

// run runs the test without the mutant, whose result go test remembers, and then with it.
func (m mutant) run(ctx context.Context) (verdict, output string) {
	pattern := "-run=" + m.caughtBy.pattern()
	if output, err := goTest(ctx, m.caughtBy.dir, "-timeout=5m", pattern); err != nil {
		return "ERROR", output + "    " + m.caughtBy.String() + " fails without the mutant too"
	}
	dir, err := os.MkdirTemp("", "mutant")
	if err != nil {
		return "ERROR", err.Error()
	}
	defer os.RemoveAll(dir)
	overlay, err := m.overlay(dir)
	if err != nil {
		return "ERROR", "    " + err.Error()
	}
	output, err = goTest(ctx, m.caughtBy.dir, "-overlay="+overlay, "-timeout=2m", pattern)
	switch {
	case err == nil:
		return survived, output
	case failure.MatchString(output):
		return caught, output
	default: // it does not compile, or the test never ran
		return "ERROR", output
	}
}

// A failure is what a test writes that fails, panics, or exceeds its time.
var failure = regexp.MustCompile(`(?m)^(--- FAIL: |panic: |fatal error: )`)

// overlay writes the mutated file and the go command's description of it into
// dir, and returns the path of the latter.
func (m mutant) overlay(dir string) (string, error) {
	path := filepath.Join(root(), m.file)
	source, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	if n := strings.Count(string(source), m.old); n != 1 {
		return "", fmt.Errorf("the mutant no longer applies: its old text occurs %d times in %s", n, m.file)
	}
	mutated := filepath.Join(dir, filepath.Base(m.file))
	description, err := json.Marshal(map[string]any{"Replace": map[string]string{path: mutated}})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(dir, "overlay.json")
	return overlay, errors.Join(
		os.WriteFile(mutated, []byte(strings.Replace(string(source), m.old, m.new, 1)), 0o600),
		os.WriteFile(overlay, description, 0o600))
}

// goTest runs tests of the package in dir, without the race detector: a test
// should catch a mutant by what it checks.
func goTest(ctx context.Context, dir string, args ...string) (output string, err error) {
	cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-vet=off"}, args...)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	cmd.Dir = filepath.Join(root(), dir)
	cmd.Env = append(os.Environ(), "KUBE_CACHE_MUTATION_DETECTOR=true") // hack/e2e asks for it
	combined, err := cmd.CombinedOutput()
	return string(combined), err
}

// root is the repository's.
func root() string {
	path, err := filepath.Abs("../..")
	if err != nil {
		panic(err)
	}
	return path
}
