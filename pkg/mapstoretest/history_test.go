package mapstoretest_test

import (
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiwatch "k8s.io/apimachinery/pkg/watch"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
)

func TestARewindIsAResetAndItsRevisionsComeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		settings := api.ConfigMap("default", "settings")
		backup := settings.Set("k", "old").ResourceVersion
		store := api.Open(t, "settings", mapstore.Options{})
		resets := 0
		store.OnChange(func(change mapstore.Change) {
			if change.Reset {
				resets++
			}
		})
		newer := settings.Set("k", "new").ResourceVersion
		synctest.Wait()
		api.Rewind(backup)
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if got, _ := store.Get("k"); got != "old" || resets != 1 {
			t.Errorf("k = %q after %d resets", got, resets)
		}
		if again := settings.Set("k", "other").ResourceVersion; again != newer {
			t.Errorf("revision %s, want %s again", again, newer)
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
