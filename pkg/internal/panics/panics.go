// Package panics says what somebody's function has panicked with, without what
// that might quote of a value.
package panics

import (
	"fmt"
	"reflect"
	"runtime"
)

// Describe returns the text of the runtime's own errors, which name indexes and
// types, and never contents. Of anything else it returns the type.
func Describe(recovered any) string {
	if err, ok := recovered.(runtime.Error); ok && isTheRuntimes(err) {
		return err.Error()
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
