package checker

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/unrolled/mapstore/v2/hack/e2e/rig"
)

// convergence is how long the stores may take to show the map's last version once
// nobody writes any more, however slow the machine.
const convergence = 30 * time.Second

// Check judges the run. It must be called after all clients and outsiders have
// stopped calling; it waits until the witness has seen everything and each
// store shows the last version, and then ends the subscriptions.
//
// Check returns an error when the check itself could not be made: ctx has
// ended, or the witness has lost history because etcd was compacted or restored
// from a backup. What the check has found is in the report.
func (r *Run) Check(ctx context.Context) (Report, error) {
	h := history{nonce: r.nonce}
	for {
		versions, err := r.witness.settle(ctx)
		if err != nil {
			return Report{}, err
		}
		if len(versions) == len(h.versions) {
			break
		}
		// One more may come: a request of which nobody knows may still be on its way.
		h.versions = versions
		h.finals = r.converge(ctx, versions[len(versions)-1])
	}
	if err := ctx.Err(); err != nil {
		return Report{}, fmt.Errorf("checker: the stores had no time to come to the last version: %w", err)
	}
	for _, c := range r.everyClient() {
		h.chains = append(h.chains, c.stop()...)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	h.record = r.record
	return h.judge(), nil
}

// converge waits until every store shows the last version, and returns what
// each shows.
func (r *Run) converge(ctx context.Context, last version) []read {
	ctx, cancel := context.WithTimeout(ctx, convergence)
	defer cancel()
	var finals []read
	for _, c := range r.everyClient() {
		finals = append(finals, read{client: c.name, view: c.converge(ctx, last)})
	}
	return finals
}

// converge waits until the store and its subscriptions show the last version,
// or the store a newer one, and returns what the store shows. It does not ask
// the store to do anything, as that might make up for what it has missed.
func (c *Client) converge(ctx context.Context, last version) (now view) {
	_ = rig.Until(ctx, convergence, func() bool { // what it shows then will be judged
		now = c.run.view(c.store.Snapshot())
		newer := now.revision > last.revision && (now.exists || last.exists)
		return newer || now.shows(last) && c.followersHave(last.contents)
	})
	return now
}

// shows reports whether v is the last version. For a map that is absent, the
// revision may be any later one of etcd's.
func (v view) shows(last version) bool {
	if v.exists != last.exists || v.contents != last.contents {
		return false
	}
	return v.revision == last.revision || !v.exists && v.revision > last.revision
}

func (c *Client) followersHave(last contents) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !slices.ContainsFunc(c.followers, func(f *follower) bool { return !f.has(last) })
}
