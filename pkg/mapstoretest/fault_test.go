package mapstoretest_test

import (
	"context"
	"errors"
	"net/http/httptrace"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiwatch "k8s.io/apimachinery/pkg/watch"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
)

// A plain client, which does not look up what became of its request. Whether it was
// sent is what net/http would report of it, and what a store goes by.
func TestWhatBecomesOfARequestThatMeetsAFault(t *testing.T) {
	is := func(target error) func(error) bool { return func(err error) bool { return errors.Is(err, target) } }
	for _, test := range []struct {
		fault   mapstoretest.Fault
		sent    int
		applied bool
		err     func(error) bool
	}{
		{mapstoretest.Slow(0), 1, true, is(nil)},
		{mapstoretest.Refused(), 0, false, is(syscall.ECONNREFUSED)},
		{mapstoretest.LostRequest(), 1, false, is(syscall.ECONNRESET)},
		{mapstoretest.LostAnswer(), 1, true, is(syscall.ECONNRESET)},
		{mapstoretest.Conflict(), 1, false, apierrors.IsConflict},
		{mapstoretest.Forbidden(), 1, false, apierrors.IsForbidden},
		{mapstoretest.Answer(apierrors.NewInternalError(errors.New("broken"))), 1, false, apierrors.IsInternalError},
	} {
		t.Run(test.fault.String(), func(t *testing.T) {
			api := mapstoretest.NewAPI(t)
			settings := api.ConfigMap("default", "settings")
			object := settings.Set("k", "old")
			object.Data["k"] = "new"
			api.FailNext(1, test.fault, "update")
			connected, sent := 0, 0
			ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
				GotConn:      func(httptrace.GotConnInfo) { connected++ },
				WroteRequest: func(httptrace.WroteRequestInfo) { sent++ },
			})
			_, err := api.Client().CoreV1().ConfigMaps("default").Update(ctx, object, metav1.UpdateOptions{})
			if !test.err(err) || connected != test.sent || sent != test.sent {
				t.Errorf("%v, %d connections and %d requests, want %d", err, connected, sent, test.sent)
			}
			if applied := settings.Values()["k"] == "new"; applied != test.applied {
				t.Errorf("applied: %v, want %v", applied, test.applied)
			}
		})
	}
}

func TestAHungServerTakesRequestsAndSilencesOpenWatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		settings := api.ConfigMap("default", "settings")
		store := api.Open(t, "settings", mapstore.Options{})
		hang := api.Fail(mapstoretest.Hang())
		settings.Set("k", "outside")
		synctest.Wait()
		if _, ok := store.Get("k"); ok {
			t.Error("an event came through from a server that hangs")
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := store.Set(ctx, "k", "v"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Set: %v", err)
		}
		patience := make(chan error, 1)
		go func() { // without a deadline, it goes on when the server does
			_, err := api.Client().CoreV1().ConfigMaps("default").Get(t.Context(), "settings", metav1.GetOptions{})
			patience <- err
		}()
		time.Sleep(2 * time.Minute) // half of StaleAfter, and some attempts
		if store.Status().Err == nil {
			t.Error("Status is well while the server hangs")
		}
		hang.End()
		time.Sleep(3 * time.Second)
		if got, _ := store.Get("k"); got != "outside" || store.Status().Err != nil {
			t.Errorf("k = %q, Status %v after the server came back", got, store.Status().Err)
		}
		if err := <-patience; err != nil {
			t.Errorf("the request that hung: %v", err)
		}
	})
}

func TestARightThatIsMissingIsNamedAndItsReturnIsNoticed(t *testing.T) {
	for _, verb := range []string{"update", "patch", "create", "list", "watch", "get"} {
		t.Run(verb, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := mapstoretest.NewAPI(t)
				failure := api.Fail(mapstoretest.Forbidden(), verb)
				store := api.Start(t, "settings", mapstore.Options{})
				err := store.Verify(t.Context())
				if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "may not "+verb+" it") {
					t.Errorf("Verify: %v", err)
				}
				switch verb {
				case "list", "watch":
					if err := store.WaitForSync(t.Context()); !apierrors.IsForbidden(err) {
						t.Errorf("WaitForSync: %v", err)
					}
				case "update", "patch", "create":
					if err := store.Set(t.Context(), "k", "v"); !apierrors.IsForbidden(err) {
						t.Errorf("Set: %v", err)
					}
				}
				failure.End()
				if err := store.Verify(t.Context()); err != nil {
					t.Errorf("Verify: %v", err)
				}
				time.Sleep(3 * time.Second)
				if err := store.Set(t.Context(), "k", "v"); err != nil {
					t.Errorf("Set: %v", err)
				}
			})
		})
	}
}

func TestAnOpenWatchGoesOnWithoutItsRightAndWhenTheNextIsToFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		store := api.Open(t, "settings", mapstore.Options{})
		api.Fail(mapstoretest.Forbidden())
		next := api.FailNext(1, mapstoretest.Refused(), "watch")
		api.ConfigMap("default", "settings").Set("k", "v")
		synctest.Wait()
		if got, _ := store.Get("k"); got != "v" || next.Met() != 0 {
			t.Errorf("k = %q, %d requests met the failure", got, next.Met())
		}
	})
}

func TestAnOpenWatchExpires(t *testing.T) {
	api := mapstoretest.NewAPI(t)
	watch, err := api.Client().CoreV1().ConfigMaps("default").Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Stop()
	api.Fail(mapstoretest.Expired()).End()
	last := <-watch.ResultChan()
	if last.Type != apiwatch.Error || !apierrors.IsResourceExpired(apierrors.FromObject(last.Object)) {
		t.Errorf("the last event: %+v", last)
	}
	if _, more := <-watch.ResultChan(); more {
		t.Error("the watch went on")
	}
}

func TestAFaultOfOnePeerIsNotTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		other := api.Peer()
		here, there := api.Open(t, "settings", mapstore.Options{}), other.Open(t, "settings", mapstore.Options{})
		partition := other.Fail(mapstoretest.Refused())
		if err := here.Set(t.Context(), "k", "v"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if _, ok := there.Get("k"); ok {
			t.Error("the change crossed the partition")
		}
		partition.End()
		time.Sleep(3 * time.Second)
		if got, _ := there.Get("k"); got != "v" {
			t.Errorf("k = %q after the partition", got)
		}
	})
}

func TestTheLatestFailureMeetsARequest(t *testing.T) {
	api := mapstoretest.NewAPI(t)
	get := func() error {
		_, err := api.Client().CoreV1().ConfigMaps("default").Get(t.Context(), "settings", metav1.GetOptions{})
		return err
	}
	outer := api.Fail(mapstoretest.Forbidden())
	api.FailNext(1, mapstoretest.Answer(apierrors.NewInternalError(errors.New("broken"))), "get")
	if err := get(); !apierrors.IsInternalError(err) {
		t.Errorf("first: %v", err)
	}
	if err := get(); !apierrors.IsForbidden(err) {
		t.Errorf("then: %v", err)
	}
	outer.End()
	if err := get(); !apierrors.IsNotFound(err) {
		t.Errorf("at last: %v", err)
	}
}
