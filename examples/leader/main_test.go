//go:build unix

package main

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/unrolled/mapstore/v2/examples/internal/demo"
	"github.com/unrolled/mapstore/v2/examples/internal/demotest"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "replica" { // a child of the demo under test
		main()
		return
	}
	goleak.VerifyTestMain(m)
}

// With SIGSTOP and SIGCONT, in processes of their own. The story
// checks what its viewer sees.
func TestAPausedLeaderThatWakesUpNeitherLosesNorDoublesAnUpdate(t *testing.T) {
	t.Log("\n" + demotest.Run(t, demo.Local, tell))
}
