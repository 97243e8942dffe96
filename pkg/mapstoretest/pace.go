package mapstoretest

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/util/runtime"
)

// Client-go's reflectors pass their errors to handlers of the whole process, one of
// which sleeps when errors come less than a millisecond apart. It compares the
// current time with the time of the last error, at first with the start of the
// process. In a synctest bubble it is the year 2000, so the handler would sleep for
// 26 years, in which the reflector does nothing. Its replacement sleeps for a
// millisecond after each error. It is installed before anything else of the process
// runs, as no lock protects the handlers.
var _ = replacePace()

func replacePace() bool {
	if len(runtime.ErrorHandlers) != 2 { // somebody has put others there
		return false
	}
	runtime.ErrorHandlers[1] = func(context.Context, error, string, ...any) { time.Sleep(time.Millisecond) }
	return true
}
