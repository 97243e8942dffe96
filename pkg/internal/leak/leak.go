// Package leak makes the tests of a package fail when one of them leaves a goroutine
// behind. It is for TestMain. Other modules use go.uber.org/goleak; this package needs
// the standard library only, and looks only for goroutines that are in, or were started
// by, this module or the part of client-go that watches the server.
package leak

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"
)

// suspects are what the stack of a leaked goroutine contains.
var suspects = []string{
	"github.com/unrolled/mapstore/v2/",
	"k8s.io/client-go/tools/cache.",
	"k8s.io/apimachinery/pkg/watch.",
	"k8s.io/client-go/rest/watch.",
}

// grace is how long goroutines that nobody waits for have to end, on a slow machine.
const grace = 30 * time.Second

// Check returns code, the result of all tests. If the tests have passed and goroutines
// are left, it writes their stacks to stderr and returns 1 instead. Call it from the
// goroutine that ran the tests.
func Check(code int) int { return check(code, grace, os.Stderr) }

func check(code int, grace time.Duration, out io.Writer) int {
	if code != 0 { // a test that failed may have had no chance to clean up
		return code
	}
	left := Goroutines()
	for deadline := time.Now().Add(grace); len(left) > 0 && time.Now().Before(deadline); left = Goroutines() {
		time.Sleep(10 * time.Millisecond) // poll: the runtime does not tell when a goroutine ends
	}
	if len(left) == 0 {
		return 0
	}
	fmt.Fprintf(out, "leak: after all tests %d goroutines are left:\n\n%s\n", len(left), strings.Join(left, "\n\n"))
	return 1
}

// Goroutines returns the stacks of all goroutines that would count as leaked, except
// the caller's.
func Goroutines() []string {
	var left []string
	for i, stack := range stacks() {
		if i > 0 && suspicious(stack) { // the first one is the caller's
			left = append(left, stack)
		}
	}
	return left
}

func suspicious(stack string) bool {
	if strings.Contains(stack, "testing.(*M).Run(") { // TestMain's, seen by a test
		return false
	}
	for _, suspect := range suspects {
		if strings.Contains(stack, suspect) {
			return true
		}
	}
	return false
}

func stacks() []string {
	for size := 1 << 20; ; size *= 2 {
		buf := make([]byte, size)
		if n := runtime.Stack(buf, true); n < size {
			return strings.Split(strings.TrimSpace(string(buf[:n])), "\n\n")
		}
	}
}
