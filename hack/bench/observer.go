package main

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// A sighting is that a version was seen.
type sighting struct {
	revision string
	at       time.Time
}

// Sightings come from callbacks and watches. There must be room for all that
// somebody is behind, so that noting one blocks nobody.
type sightings chan sighting

func (s sightings) note(revision string) { s <- sighting{revision, time.Now()} }

// noteChange is a callback.
func (s sightings) noteChange(change mapstore.Change) { s.note(change.New.Revision()) }

// await returns when a revision was seen. Others are dropped.
func (s sightings) await(ctx context.Context, revision string) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		select {
		case next := <-s:
			if next.revision == revision {
				return next.at, nil
			}
		case <-ctx.Done():
			return time.Time{}, fmt.Errorf("nobody has seen revision %s: %w", revision, ctx.Err())
		}
	}
}

// An observer follows one map, with a client of its own.
type observer struct {
	sightings
	stop func()
}

const many = 1000 // more versions than an observer is ever behind

// byCallback follows a map by the callback of a store.
func (b *bench) byCallback(ctx context.Context, name string) (*observer, error) {
	process, err := b.Process(ctx, name)
	if err != nil {
		return nil, err
	}
	seen := make(sightings, many)
	process.Store.OnChange(seen.noteChange)
	_, err = seen.await(ctx, process.Store.Snapshot().Revision())
	return &observer{seen, process.Close}, err
}

// byWatch follows a map by client-go's watch.
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
	watch, err := maps.Watch(ctx, metav1.ListOptions{FieldSelector: named(name).String(), ResourceVersion: object.ResourceVersion})
	if err != nil {
		return nil, err
	}
	seen, ended := make(sightings, many), make(chan struct{})
	go func() {
		defer close(ended)
		for event := range watch.ResultChan() {
			if object, ok := event.Object.(*corev1.ConfigMap); ok {
				seen.note(object.ResourceVersion)
			}
		}
	}()
	return &observer{seen, func() {
		watch.Stop()
		<-ended
		client.Close()
	}}, nil
}
