package main

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// An observer follows one map and notes when it learns of each version.
type observer struct {
	seen chan sighting
	stop func()
}

// A sighting is that a version was seen.
type sighting struct {
	revision string
	at       time.Time
}

// await returns when the observer saw the revision. Those before are dropped.
func (o *observer) await(ctx context.Context, revision string) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		select {
		case s := <-o.seen:
			if s.revision == revision {
				return s.at, nil
			}
		case <-ctx.Done():
			return time.Time{}, fmt.Errorf("waiting for revision %s: %w", revision, ctx.Err())
		}
	}
}

// many is more versions than any observer is ever behind, so that noting one
// blocks nobody.
const many = 1000

// byCallback follows a map by the callback of a store with a client of its own.
func (b *bench) byCallback(ctx context.Context, name string) (*observer, error) {
	client, err := b.Client()
	if err != nil {
		return nil, err
	}
	store, err := b.Store(ctx, client, name)
	if err != nil {
		client.Close()
		return nil, err
	}
	o := &observer{seen: make(chan sighting, many), stop: func() {
		store.Close()
		client.Close()
	}}
	store.OnChange(func(change mapstore.Change) {
		o.seen <- sighting{change.New.Revision(), time.Now()}
	})
	_, err = o.await(ctx, store.Snapshot().Revision())
	return o, err
}

// byWatch follows a map by client-go's watch, with a client of its own.
func (b *bench) byWatch(ctx context.Context, name string) (*observer, error) {
	client, err := b.Client()
	if err != nil {
		return nil, err
	}
	maps := client.CoreV1().ConfigMaps(b.Namespace)
	object, err := maps.Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	watch, err := maps.Watch(ctx, metav1.ListOptions{
		FieldSelector:   fields.OneTermEqualSelector(metav1.ObjectNameField, name).String(),
		ResourceVersion: object.ResourceVersion,
	})
	if err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	o := &observer{seen: make(chan sighting, many), stop: func() {
		watch.Stop()
		<-ended
		client.Close()
	}}
	go func() {
		defer close(ended)
		for event := range watch.ResultChan() {
			if object, ok := event.Object.(*corev1.ConfigMap); ok {
				o.seen <- sighting{object.ResourceVersion, time.Now()}
			}
		}
	}()
	return o, nil
}
