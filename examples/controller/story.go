package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

func (d *demo) story(ctx context.Context) error {
	for i, step := range []struct {
		title string
		run   func(context.Context) error
	}{
		{"The map says how many replicas each tier has", d.follow},
		{"A change concerns the Deployments of its tier", d.change},
		{"Probes and metrics", d.probes},
		{"The API server is killed", d.outage},
		{"The map is deleted", d.deletion},
	} {
		d.pause(ctx)
		d.title("%d. %s", i+1, step.title)
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		err := step.run(ctx)
		cause := context.Cause(ctx)
		cancel()
		if err != nil {
			return fmt.Errorf("step %d, %s: %w", i+1, step.title, errors.Join(err, cause))
		}
	}
	return nil
}

// follow: whatever is there is brought to what the map says.
func (d *demo) follow(ctx context.Context) error {
	if _, err := d.recorder.until(ctx, 0, "web-1", "web-2", "web-3", "batch-1", "batch-2", "bystander"); err != nil {
		return err
	}
	before, err := d.cluster.replicas(ctx)
	if err != nil {
		return err
	}
	mark := d.recorder.mark()
	d.command("kubectl create configmap replicas --from-literal=web=3 --from-literal=batch=2")
	if err := d.cluster.createMap(ctx, map[string]string{"web": "3", "batch": "2"}); err != nil {
		return err
	}
	if _, err := d.recorder.until(ctx, mark, "web-1", "web-2", "web-3", "batch-1", "batch-2"); err != nil {
		return err
	}
	after, err := d.cluster.replicas(ctx)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(after)) {
		d.detail("%-10s %d -> %d", name, before[name], after[name])
	}
	want := map[string]int32{"web-1": 3, "web-2": 3, "web-3": 3, "batch-1": 2, "batch-2": 2, "bystander": 1}
	if !maps.Equal(after, want) {
		return fmt.Errorf("the replicas are %v", after)
	}
	d.ok("Reconcile reads the map from memory; the bystander has no tier.")
	return d.settle(ctx)
}

// change: a change of one key enqueues those that it concerns.
func (d *demo) change(ctx context.Context) error {
	mark, start := d.recorder.mark(), time.Now()
	d.command(`kubectl patch configmap replicas -p '{"data":{"web":"5"}}'`)
	if err := d.cluster.set(ctx, "web", "5"); err != nil {
		return err
	}
	if _, err := d.recorder.until(ctx, mark, "web-1", "web-2", "web-3"); err != nil {
		return err
	}
	took := time.Since(start)
	if err := d.settle(ctx); err != nil {
		return err
	}
	reconciled := slices.Compact(slices.Sorted(slices.Values(d.recorder.calls.Load()[mark:])))
	reconciled = slices.DeleteFunc(reconciled, func(name string) bool { return name == "bystander" }) // settle's
	if !slices.Equal(reconciled, []string{"web-1", "web-2", "web-3"}) {
		return fmt.Errorf("reconciled: %v", reconciled)
	}
	d.detail("reconciled: %s", strings.Join(reconciled, " "))
	d.ok("No other, and all of them were scaled %s after the patch was sent.", short(took))
	return nil
}

// probes: a manager's usual pages.
func (d *demo) probes(ctx context.Context) error {
	for _, url := range []string{"http://" + d.health + "/healthz", "http://" + d.health + "/readyz", "http://" + d.metrics + "/metrics"} {
		code, body, err := d.get(ctx, url)
		if err != nil || code != http.StatusOK {
			return fmt.Errorf("%s: %d: %w", url, code, err)
		}
		d.detail("%d %s", code, url)
		for line := range strings.Lines(body) {
			if strings.HasPrefix(line, "controller_runtime_reconcile_total") && strings.Contains(line, `"success"`) {
				d.detail("    %s", strings.TrimSpace(line))
			}
		}
	}
	return nil
}

// outage: the manager goes on, says that it is not ready, and is fresh again as soon
// as it can be.
func (d *demo) outage(ctx context.Context) error {
	d.command("kill -KILL kube-apiserver")
	if err := d.cluster.plane.APIServer.Kill(); err != nil {
		return err
	}
	if err := d.awaitReadyz(ctx, http.StatusInternalServerError); err != nil {
		return err
	}
	d.detail("/readyz says that %q fails; the store's status says why:", mapName)
	d.detail("%v", cause(d.store.Status().Err))
	batch, _ := d.store.Get("batch")
	d.ok("Reads go on: batch should have %s replicas.", batch)
	d.pause(ctx)
	d.command("kube-apiserver ...")
	if err := d.cluster.plane.APIServer.Restart(ctx); err != nil {
		return err
	}
	mark, start := d.recorder.mark(), time.Now()
	d.command(`kubectl patch configmap replicas -p '{"data":{"web":"4"}}'`)
	if err := d.cluster.set(ctx, "web", "4"); err != nil {
		return err
	}
	if _, err := d.recorder.until(ctx, mark, "web-1", "web-2", "web-3"); err != nil {
		return err
	}
	took := time.Since(start)
	if err := d.awaitReadyz(ctx, http.StatusOK); err != nil {
		return err
	}
	now, err := d.cluster.replicas(ctx)
	if err != nil || now["web-1"] != 4 || now["web-2"] != 4 || now["web-3"] != 4 {
		return errors.Join(err, fmt.Errorf("the replicas are %v", now))
	}
	d.ok("The tier was scaled %s after the server was ready again.", short(took))
	return nil
}

// deletion: a map that is not there says nothing, and so changes nothing.
func (d *demo) deletion(ctx context.Context) error {
	before, err := d.cluster.replicas(ctx)
	if err != nil {
		return err
	}
	mark := d.recorder.mark()
	d.command("kubectl delete configmap replicas")
	if err := d.cluster.deleteMap(ctx); err != nil {
		return err
	}
	if _, err := d.recorder.until(ctx, mark, "web-1", "web-2", "web-3", "batch-1", "batch-2"); err != nil {
		return err
	}
	after, err := d.cluster.replicas(ctx)
	if err != nil || !maps.Equal(before, after) {
		return errors.Join(err, fmt.Errorf("the replicas were %v and are %v", before, after))
	}
	d.ok("All were reconciled, found no key for themselves, and were left as they are.")
	return nil
}

// settle returns once everything has been reconciled that came of the last step:
// after a change of the bystander, which is the last in the queue.
func (d *demo) settle(ctx context.Context) error {
	mark := d.recorder.mark()
	if err := d.cluster.touch(ctx, "bystander"); err != nil {
		return err
	}
	_, err := d.recorder.until(ctx, mark, "bystander")
	return err
}

// awaitReadyz returns once the manager's readiness probe answers with code.
func (d *demo) awaitReadyz(ctx context.Context, code int) error {
	tick := time.NewTicker(20 * time.Millisecond) // probes poll
	defer tick.Stop()
	for {
		if got, _, err := d.get(ctx, "http://"+d.health+"/readyz"); err != nil || got == code {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// cause returns what is at the bottom of err.
func cause(err error) error {
	for next := errors.Unwrap(err); next != nil; next = errors.Unwrap(err) {
		err = next
	}
	return err
}

func (d *demo) pause(ctx context.Context) {
	select {
	case <-time.After(d.pace):
	case <-ctx.Done():
	}
}
