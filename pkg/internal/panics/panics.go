// Package panics describes a panic of somebody's function, and where it happened,
// without anything that might quote a value.
package panics

import (
	"fmt"
	"reflect"
	"regexp"
	"runtime"
)

// number matches what the runtime's errors quote: an index, a length, a divisor.
var number = regexp.MustCompile(`-?\d+`)

// Describe returns the text of the runtime's own errors, without the numbers in it. For
// anything else it returns the type.
func Describe(recovered any) string {
	if err, ok := recovered.(runtime.Error); ok && isTheRuntimes(err) {
		return number.ReplaceAllString(err.Error(), "…")
	}
	return fmt.Sprintf("%T", recovered)
}

// isTheRuntimes reports whether err has one of the runtime's own types: any type may have
// the method that makes it a runtime.Error.
func isTheRuntimes(err runtime.Error) bool {
	t := reflect.TypeOf(err)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.PkgPath() == "runtime"
}

var (
	arguments = regexp.MustCompile(`(?m)^([^\t\n].*\()[^()\n]*\)$`)
	panicked  = regexp.MustCompile(`(?m)^panic\(.*$`)
)

// Trace returns a stack, as runtime/debug prints it, without the calls' arguments: they
// may be values.
func Trace(stack []byte) string {
	text := panicked.ReplaceAllString(string(stack), "panic(…)")
	return arguments.ReplaceAllString(text, "${1}…)")
}
