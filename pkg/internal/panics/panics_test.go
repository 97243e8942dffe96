package panics

import (
	"errors"
	"fmt"
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
		"runtime error: index out of range [11] with length 11": func() { _ = []byte(canary)[len(canary)] },
		"assignment to entry in nil map":                        func() { var m map[string]int; m[canary] = 1 },
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
