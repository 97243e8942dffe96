package mapstoretest

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/util/runtime"
)

// Client-go's reflectors hand their errors to handlers of the whole process, one
// of which sleeps when they come less than a millisecond apart. It compares the
// time with that of the last error, or of the start of the process. In a bubble of
// synctest it is the year 2000, and so it sleeps until that time comes: for 26
// years, in which the reflector does nothing. The one in its place sleeps for a
// millisecond after each error. It is put there before anything of the process
// runs, as nothing guards the handlers.
var _ = replacePace()

func replacePace() bool {
	if len(runtime.ErrorHandlers) != 2 { // somebody has put others there
		return false
	}
	runtime.ErrorHandlers[1] = func(context.Context, error, string, ...any) { time.Sleep(time.Millisecond) }
	return true
}
