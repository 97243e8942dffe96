package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/unrolled/mapstore/v2/hack/e2e/rig"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

func (l *load) increment(ctx context.Context, store *mapstore.Store) error {
	_, err := store.Update(ctx, rig.Increment("n"))
	l.increments.Count(err)
	return unlessOutage("increment", err)
}

// unlessOutage returns nil in place of what an outage may end a write in.
func unlessOutage(what string, err error) error {
	if err == nil || errors.Is(err, mapstore.ErrUnknownOutcome) || errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

// churn returns an operation that writes, over and over the same few keys.
func (l *load) churn(store *mapstore.Store) func(context.Context) error {
	i := 0
	return func(ctx context.Context) error {
		i++
		key := "k" + strconv.Itoa(i%20)
		if i%4 == 0 {
			return unlessOutage("delete", store.Delete(ctx, key))
		}
		return unlessOutage("set", store.Set(ctx, key, fmt.Sprintf("%0100d", i)))
	}
}

// subscribe follows the map by each of the three ways, until something changes.
func (l *load) subscribe(ctx context.Context, store *mapstore.Store) error {
	ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond) // in an outage nothing changes
	defer cancel()
	called := make(chan struct{}, 1)
	subscription := store.OnChange(func(mapstore.Change) {
		l.changes.Add(1)
		select {
		case called <- struct{}{}:
		default:
		}
	}, mapstore.Prefix("k1"))
	defer subscription.Stop()
	select {
	case <-called:
	case <-ctx.Done():
	}
	for range store.Changes(ctx, mapstore.Keys("k1", "k2")) {
		l.changes.Add(1)
		break
	}
	now := store.Snapshot().Revision()
	_, err := store.WaitUntil(ctx, func(s *mapstore.Snapshot) bool { return s.Revision() != now })
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("WaitUntil: %w", err)
	}
	return nil
}

// sync reads; that it fails in an outage is as it should be.
func (l *load) sync(ctx context.Context, store *mapstore.Store) error {
	if s, err := store.Sync(ctx); err == nil {
		if _, err := store.WaitFor(ctx, s.Revision()); err != nil {
			return fmt.Errorf("WaitFor: %w", err)
		}
	}
	return nil
}

// open opens a store, uses it and closes it.
func (l *load) open(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, rig.Patience)
	defer cancel()
	store, err := mapstore.Open(ctx, counted, mapstore.Options{Namespace: l.namespace})
	if err != nil {
		return fmt.Errorf("opening a store: %w", err)
	}
	defer store.Close()
	store.OnChange(func(mapstore.Change) { l.changes.Add(1) }) // Close ends it
	return l.increment(ctx, store)
}

// delete deletes the churned map, under those who write it.
func (l *load) delete(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	err := l.outside.CoreV1().ConfigMaps(l.namespace).Delete(ctx, churned, metav1.DeleteOptions{})
	switch {
	case err == nil:
		l.deletions.Add(1)
	case !apierrors.IsNotFound(err) && l.outage == 0: // in an outage it fails as it should
		return fmt.Errorf("deleting: %w", err)
	}
	return nil
}

// breakDown kills the API server for a while.
func (l *load) breakDown(ctx context.Context) error {
	if err := l.plane.APIServer.Kill(); err != nil {
		return err
	}
	l.outages.Add(1)
	time.Sleep(l.down) // the length of the outage
	return l.plane.APIServer.Restart(ctx)
}
