// Package panics says what somebody's function has panicked with, and where, without
// what that might quote of a value.
package panics

import (
	"fmt"
	"reflect"
	"regexp"
	"runtime"
)

// number is what the runtime's errors quote: an index, a length, a divisor.
var number = regexp.MustCompile(`-?\d+`)

// Describe returns the text of the runtime's own errors, without the numbers in it.
// Of anything else it returns the type.
func Describe(recovered any) string {
	if err, ok := recovered.(runtime.Error); ok && isTheRuntimes(err) {
		return number.ReplaceAllString(err.Error(), "…")
	}
	return fmt.Sprintf("%T", recovered)
}

// isTheRuntimes reports whether err is of one of Go's own types: anybody's may
// have the method that makes it a runtime.Error.
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

// Trace returns a stack, as runtime/debug has it, without the arguments of the calls:
// numbers among them are values.
func Trace(stack []byte) string {
	text := panicked.ReplaceAllString(string(stack), "panic(…)")
	return arguments.ReplaceAllString(text, "${1}…)")
}
