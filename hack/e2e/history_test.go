package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/unrolled/mapstore/v2/hack/e2e/checker"
	"github.com/unrolled/mapstore/v2/hack/e2e/rig"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// historyLimit is how long a history may take to come to what it is to show, on a
// machine that has much else to do.
const historyLimit = 5 * time.Minute

// Promises 1 to 5, 7, 8 and 10, on whole histories: several stores, two of which
// share a client, each with several goroutines that do what comes to their mind,
// all of it recorded and held against what etcd has seen.
func TestHistoriesAreLinearizable(t *testing.T) {
	for name, row := range map[string]struct {
		faults  rig.Exchange
		foreign mix
		least   checker.Report // what it takes to mean something
	}{
		"stores among themselves": {
			least: checker.Report{Acknowledged: 500, Unknown: 3, Failed: 20, Reads: 1000, Syncs: 50, Looks: 25, Changes: 200, Versions: 150},
		},
		"beside foreign writers": {
			foreign: foreignMix,
			least:   checker.Report{Acknowledged: 250, Unknown: 3, Failed: 10, Reads: 1000, Syncs: 25, Looks: 25, Changes: 200, Versions: 150, Foreign: 100},
		},
		"answers are lost": {
			faults:  losingSome,
			foreign: foreignMix,
			least:   checker.Report{Acknowledged: 150, Unknown: 3, Failed: 10, Reads: 1000, Syncs: 25, Looks: 25, Changes: 200, Versions: 100, Foreign: 75},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			h := newHistory(s)
			var network *rig.Network
			var client *rig.Client
			for i := range 4 {
				if i < 3 { // two stores of the same name in one process, at last
					network = &rig.Network{}
					client = s.client(s.plane.Config(), network)
				}
				network.OnAnswer(row.faults)
				h.add(i, s.storeOf(client, mapstore.Options{}), network)
			}
			if row.foreign != nil {
				for i := range 2 {
					outsider := h.run.Outsider(fmt.Sprintf("outsider %d", i), s.outside)
					h.actors = append(h.actors, &actor{outsider: outsider, mix: row.foreign, pause: 20 * time.Millisecond})
				}
			}
			h.grow(row.least)
			if row.foreign != nil { // so that a deletion which a store misses is not made up for
				if err := h.run.Outsider("last", s.outside).Delete(t.Context()); err != nil && !isExpected(err) {
					t.Error(err)
				}
			} else if ids := strings.Fields(s.get().Annotations["mapstore/commits"]); len(ids) != 32 {
				t.Errorf("the ledger has %d ids", len(ids))
			}
			h.judge()
		})
	}
}

// losingSome loses answers after the commit, in each of the ways in which that
// happens.
func losingSome(request *http.Request, response *http.Response) (*http.Response, error) {
	ways := []rig.Exchange{rig.Lose, rig.Instead(503, false), rig.Instead(429, true)}
	return rig.Some(0.3, ways[rand.IntN(len(ways))])(request, response)
}

// A history is what some actors do to one map at the same time.
type history struct {
	*testing.T
	run    *checker.Run
	actors []*actor
}

func newHistory(s *site) *history {
	s.Helper()
	run, err := checker.Start(s.within(), s.plane.EtcdURL(), s.namespace, mapName)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(run.Close)
	return &history{T: s.T, run: run}
}

// add gives store i its actors. The transactions of the first one find what others
// have written, and share no request with a write.
func (h *history) add(i int, store *mapstore.Store, network *rig.Network) {
	client := h.run.Client(fmt.Sprintf("store %d", i), store)
	client.Follow(mapstore.Prefix("n"), mapstore.Keys("k1", "k2"))
	act := func(times int, mix mix, pause time.Duration) {
		for range times {
			h.actors = append(h.actors, &actor{client: client, network: network, mix: mix, pause: pause})
		}
	}
	if i == 0 {
		act(1, lookMix, time.Millisecond)
	} else {
		act(4, storeMix, 0)
	}
	act(2, readMix, time.Millisecond)
	act(1, followMix, 0)
	act(1, lagMix, 0)
}

// grow lets the actors act until there is enough of everything.
func (h *history) grow(least checker.Report) {
	start := time.Now()
	enough := func() bool { return reaches(h.run.SoFar(), least) }
	ctx, stop := context.WithCancel(h.Context())
	var wg sync.WaitGroup
	for _, a := range h.actors {
		wg.Go(func() {
			for ctx.Err() == nil {
				if a.outsider != nil && h.areOutsidersAhead() {
					_ = rig.Pause(ctx, time.Millisecond) // the loop looks at ctx
					continue
				}
				if err := a.mix.pick()(h.Context(), a); err != nil && !isExpected(err) {
					h.Error(err)
				}
				time.Sleep(a.pause) // its rate
			}
		})
	}
	if err := rig.Until(h.Context(), historyLimit, enough); err != nil {
		h.Errorf("too little in %v: %v; want at least %v", historyLimit, h.run.SoFar(), least)
	}
	h.Logf("enough after %v", time.Since(start).Round(time.Millisecond))
	stop()
	wg.Wait()
}

// areOutsidersAhead reports whether the stores should be left some time to write:
// each write of others makes them begin anew, which takes long on a slow machine.
func (h *history) areOutsidersAhead() bool {
	now := h.run.SoFar()
	return now.Foreign > 20+now.Acknowledged/2
}

func (h *history) judge() {
	start := time.Now()
	report, err := h.run.Check(h.Context())
	if err != nil {
		h.Fatal(err)
	}
	h.Logf("%v, in %v", report, time.Since(start).Round(time.Millisecond))
	if err := report.Err(); err != nil {
		h.Error(err)
	}
}

func reaches(report, least checker.Report) bool {
	return report.Acknowledged >= least.Acknowledged && report.Unknown >= least.Unknown && report.Failed >= least.Failed &&
		report.Reads >= least.Reads && report.Syncs >= least.Syncs && report.Looks >= least.Looks && report.Changes >= least.Changes &&
		report.Versions >= least.Versions && report.Foreign >= least.Foreign
}

// isExpected reports whether an operation may end in this way though nothing is
// wrong.
func isExpected(err error) bool {
	return errors.Is(err, mapstore.ErrUnknownOutcome) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) ||
		apierrors.IsNotFound(err) || apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err)
}
