package mapstore_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
)

// The revision of an absent map is the cluster's. The watch does not bring it, and
// the server may have to be asked more than once.
func TestWaitForAsksUntilItIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		store := api.Open(t, "settings", mapstore.Options{})
		api.ConfigMap("default", "other").Set("k", "v")
		later := api.ConfigMap("default", "other").Get().ResourceVersion
		failure := api.FailNext(3, mapstoretest.Answer(apierrors.NewInternalError(errors.New("for a moment"))), "list")
		began := time.Now()
		now, err := store.WaitFor(within(t, time.Minute), later)
		if err != nil || now.Exists() {
			t.Errorf("WaitFor: %v, %v", now, err)
		}
		if took := time.Since(began); failure.Met() != 3 || took > 2*time.Second {
			t.Errorf("it took %v, and %d answers of the server", took, failure.Met())
		}
	})
}
