package mapstoretest_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiwatch "k8s.io/apimachinery/pkg/watch"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
)

// A watch that names no timeout ends after 30 minutes.
func TestAWatchGetsABookmarkEachMinuteAndEndsAfterItsTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		settings := api.ConfigMap("default", "settings")
		w, err := api.Client().CoreV1().ConfigMaps("default").Watch(t.Context(), metav1.ListOptions{
			ResourceVersion: settings.Set("k", "v").ResourceVersion, AllowWatchBookmarks: true, TimeoutSeconds: new(int64(150)),
		})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		later := api.ConfigMap("elsewhere", "other").Set("k", "v").ResourceVersion
		for n := range 2 {
			e := <-w.ResultChan()
			mark, _ := e.Object.(*corev1.ConfigMap)
			if e.Type != apiwatch.Bookmark || time.Since(start) != time.Duration(n+1)*time.Minute || mark.ResourceVersion != later {
				t.Errorf("after %v: %+v, want a bookmark at %s", time.Since(start), e, later)
			}
		}
		if e, open := <-w.ResultChan(); open || time.Since(start) != 150*time.Second {
			t.Errorf("after %v: %+v, want the end", time.Since(start), e)
		}
		if w, err = api.Client().CoreV1().ConfigMaps("default").Watch(t.Context(), metav1.ListOptions{ResourceVersion: later}); err != nil {
			t.Fatal(err)
		}
		start = time.Now()
		if _, open := <-w.ResultChan(); open || time.Since(start) != 30*time.Minute {
			t.Errorf("without a timeout it went on for %v", time.Since(start))
		}
	})
}

// A store lets those catch up who shared its last request. In a bubble no time
// passes meanwhile, so the time that this takes is no bound.
func TestAStoreDoesNotWaitForWritersThatDoNotComeInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		store := api.Open(t, "settings", mapstore.Options{})
		hang := api.FailNext(1, mapstoretest.Hang(), "update")
		var writers sync.WaitGroup
		for i := range 8 {
			writers.Go(func() {
				if err := store.Set(t.Context(), fmt.Sprint("k", i), "v"); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait() // one request hangs, with all that are not in it waiting for it
		hang.End()
		writers.Wait()
		if err := store.Set(t.Context(), "k", "alone"); err != nil {
			t.Error(err)
		}
		api.Fail(mapstoretest.Hang())
		start := time.Now()
		if err := store.Set(t.Context(), "k", "given up"); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 30*time.Second { // WriteTimeout
			t.Errorf("Set: %v after %v", err, time.Since(start))
		}
	})
}

func TestBookmarksKeepAnIdleStoreFreshForADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		store := api.Open(t, "settings", mapstore.Options{})
		for range 24 * 60 {
			time.Sleep(time.Minute + time.Second)
			status := store.Status()
			if age := time.Since(status.LastContact); status.Err != nil || age > 62*time.Second {
				t.Fatalf("after %v of silence: %v", age, status.Err)
			}
		}
	})
}

func TestAWatchFromBeforeACompactionIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		settings := api.ConfigMap("default", "settings")
		old := settings.Set("k", "old").ResourceVersion
		settings.Set("k", "new")
		api.Compact()
		watch, err := api.Client().CoreV1().ConfigMaps("default").Watch(t.Context(), metav1.ListOptions{ResourceVersion: old})
		if err != nil {
			t.Fatal(err)
		}
		defer watch.Stop()
		if e := <-watch.ResultChan(); e.Type != apiwatch.Error || !apierrors.IsResourceExpired(apierrors.FromObject(e.Object)) {
			t.Errorf("event: %+v", e)
		}
	})
}
