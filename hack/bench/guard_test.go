package main

import (
	"testing"

	"github.com/unrolled/mapstore/v2/hack/bench/load"
	"github.com/unrolled/mapstore/v2/hack/bench/rig"
)

// What is guarded here are counts, which no busy machine changes; or, where it
// does, with a bound that it does not reach.

func TestASetIsOnePUTAndNothingElse(t *testing.T) {
	d, err := shared.duel(t.Context(), 10, 10)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	const sets = 20
	fight, err := d.fight(t.Context(), sets)
	if err != nil {
		t.Fatal(err)
	}
	if want := (rig.Counts{PUTs: sets}); fight.setCost != want {
		t.Errorf("%d Sets cost %+v, want %+v", sets, fight.setCost, want)
	}
}

func TestAFirstSyncIsTwoRequests(t *testing.T) {
	if err := shared.Create(t.Context(), "first", 10, 10); err != nil {
		t.Fatal(err)
	}
	client, err := shared.Client()
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	store, err := shared.Store(t.Context(), client, "first")
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if got, want := client.Counts(), (rig.Counts{Lists: 1, Watches: 1}); got != want {
		t.Errorf("the first sync cost %+v, want %+v", got, want)
	}
}

func TestWritersOfOneStoreShareRequests(t *testing.T) {
	result := contend(t, load.Plan{Strategy: load.Mapstore, Stores: 1, Writers: 64, Operations: 20})
	// Usually it is 20 to 60 PUTs. A machine that is too busy to let writers queue
	// up while a request is in flight does not go beyond a few times that.
	if limit := int64(result.Acknowledged / 4); result.PUTs > limit {
		t.Errorf("%d PUTs for %d writes, at most %d expected", result.PUTs, result.Acknowledged, limit)
	}
	if others := result.Total() - result.PUTs; others > 0 || result.Conflicts > 0 {
		t.Errorf("a store that is alone met %d conflicts and sent %d requests beside its PUTs", result.Conflicts, others)
	}
}

func TestManyStoresDoNotDrownInConflicts(t *testing.T) {
	result := contend(t, load.Plan{Strategy: load.Mapstore, Stores: 8, Writers: 8, Operations: 20})
	// By chance alone one in eight commits, if all send whenever they can. Since
	// they take turns it is nine in ten, and fewer only while they find their order.
	const least = 0.5
	if share := result.CommitShare(); share < least {
		t.Errorf("%.0f %% of %d PUTs committed, at least %.0f %% expected", 100*share, result.PUTs, 100*least)
	}
	if result.PUTs > int64(3*result.Acknowledged) {
		t.Errorf("%d PUTs for %d writes", result.PUTs, result.Acknowledged)
	}
}

func contend(t *testing.T, plan load.Plan) *load.Result {
	t.Helper()
	result, err := load.Run(t.Context(), shared.Rig, plan)
	if err != nil {
		t.Fatal(err)
	}
	load.Print(t.Output(), result)
	if want := plan.Stores * plan.Writers * plan.Operations; result.Failed > 0 || result.Acknowledged != want {
		t.Fatalf("%d of %d writes succeeded, %d failed: %v", result.Acknowledged, want, result.Failed, result.Failure)
	}
	return result
}
