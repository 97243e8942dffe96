package panics

import (
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"testing"
)

// A claim says that it is an error of the runtime.
type claim string

func (c claim) Error() string { return string(c) }
func (claim) RuntimeError()   {}

// Only the runtime's own errors are told with their text.
func TestADescriptionQuotesNothing(t *testing.T) {
	const canary = "canary-4711"
	for want, fn := range map[string]func(){
		"string":              func() { panic(canary) },
		"*errors.errorString": func() { panic(errors.New(canary)) },
		"*fmt.wrapError":      func() { panic(fmt.Errorf("%w: "+canary, errors.ErrUnsupported)) },
		"panics.claim":        func() { panic(claim(canary)) },
		"*panics.claim":       func() { c := claim(canary); panic(&c) },
		"runtime error: index out of range […] with length …": func() { _ = []byte(canary)[len(canary)] },
		"assignment to entry in nil map":                      func() { absent()[canary] = 1 },
	} {
		func() {
			defer func() {
				if got := Describe(recover()); got != want || strings.Contains(got, canary) {
					t.Errorf("got %q, want %q", got, want)
				}
			}()
			fn()
		}()
	}
}

// absent is a map that cannot be written to.
func absent() map[string]int { return nil }

//go:noinline
func index(of []int, i int, name string) int { return of[i] + len(name) }

// A stack names functions and lines, and no argument.
func TestATraceHasNoArguments(t *testing.T) {
	defer func() {
		recovered, stack := recover(), debug.Stack()
		if text := Describe(recovered); strings.Contains(text, "48151623") {
			t.Error(text)
		}
		trace := Trace(stack)
		for _, hex := range []string{"0x", "48151623", "2debb27"} {
			if strings.Contains(strings.ReplaceAll(trace, " +0x", ""), hex) {
				t.Errorf("%s is in\n%s", hex, trace)
			}
		}
		if !strings.Contains(trace, "panics.index(…)") || !strings.Contains(trace, "panics_test.go:") {
			t.Errorf("it does not say where:\n%s", trace)
		}
	}()
	index([]int{1}, 48151623, "name")
}
