package main

import (
	"context"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/unrolled/mapstore/v2/hack/bench/load"
	"github.com/unrolled/mapstore/v2/hack/bench/rig"
)

var shared *bench

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	if beWriter() {
		return 0
	}
	silence()
	r, err := rig.Start(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	shared = &bench{r, true, func(string, ...any) {}}
	code := m.Run()
	if err := r.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if code == 0 { // a test that failed may have had no chance to clean up
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return code
}

// By chance alone one in eight commits, if all send whenever they can. Since
// they take turns it is nine in ten, and fewer only while they find their order.
// That is a count, which no busy machine changes.
func TestManyStoresDoNotDrownInConflicts(t *testing.T) {
	const stores, writers, operations = 8, 8, 20
	result, err := load.Run(t.Context(), shared.Rig, load.Plan{Strategy: load.Mapstore, Stores: stores, Writers: writers, Operations: operations})
	if err != nil {
		t.Fatal(err)
	}
	if want := stores * writers * operations; result.Failed > 0 || result.Acknowledged != want {
		t.Fatalf("%d of %d writes succeeded, %d failed: %v", result.Acknowledged, want, result.Failed, result.Failure)
	}
	const least = 0.5
	if share := result.CommitShare(); share < least {
		t.Errorf("%.0f %% of %d PUTs committed, at least %.0f %% expected", 100*share, result.PUTs, 100*least)
	}
	t.Logf("%d PUTs for %d writes, %.0f %% commit", result.PUTs, result.Acknowledged, 100*result.CommitShare())
}
