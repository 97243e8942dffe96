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

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiwatch "k8s.io/apimachinery/pkg/watch"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
)

// A plain client, which does not look up what became of its request.
func TestWhatALostRequestLeavesAndALostAnswer(t *testing.T) {
	for name, test := range map[string]struct {
		fault mapstoretest.Fault
		want  string
	}{
		"request": {mapstoretest.LostRequest(), "old"},
		"answer":  {mapstoretest.LostAnswer(), "new"},
		"refused": {mapstoretest.Refused(), "old"},
	} {
		t.Run(name, func(t *testing.T) {
			api := mapstoretest.NewAPI(t)
			settings := api.ConfigMap("default", "settings")
			object := settings.Set("k", "old")
			object.Data["k"] = "new"
			api.FailNext(1, test.fault, "update")
			_, err := api.Client().CoreV1().ConfigMaps("default").Update(t.Context(), object, metav1.UpdateOptions{})
			if refused := errors.Is(err, syscall.ECONNREFUSED); refused != (name == "refused") || !refused && !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("Update: %v", err)
			}
			if got := settings.Values()["k"]; got != test.want {
				t.Errorf("k = %q, want %q", got, test.want)
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
		time.Sleep(2 * time.Minute) // half of StaleAfter, and some attempts
		if store.Status().Err == nil {
			t.Error("Status is well while the server hangs")
		}
		hang.End()
		time.Sleep(3 * time.Second)
		if got, _ := store.Get("k"); got != "outside" || store.Status().Err != nil {
			t.Errorf("k = %q, Status %v after the server came back", got, store.Status().Err)
		}
	})
}

func TestARequestThatHangsGoesOnWhenTheServerDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		store := api.Open(t, "settings", mapstore.Options{})
		hang := api.FailNext(1, mapstoretest.Hang(), "patch")
		go store.Set(t.Context(), "k", "v") //nolint:errcheck // looked at below
		time.Sleep(time.Second)
		if hang.Met() != 1 || api.ConfigMap("default", "settings").Get() != nil {
			t.Errorf("%d requests hang", hang.Met())
		}
		hang.End()
		synctest.Wait()
		if api.ConfigMap("default", "settings").Get() == nil {
			t.Error("the request did not go on")
		}
		time.Sleep(time.Minute) // for Set to end within the bubble
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

func TestAWatchGoesOnWithoutTheRightToIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		store := api.Open(t, "settings", mapstore.Options{})
		api.Fail(mapstoretest.Forbidden())
		api.ConfigMap("default", "settings").Set("k", "v")
		synctest.Wait()
		if got, _ := store.Get("k"); got != "v" {
			t.Errorf("k = %q", got)
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

func TestFailNextLeavesOpenWatchesAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		store := api.Open(t, "settings", mapstore.Options{})
		failure := api.FailNext(1, mapstoretest.Refused(), "watch")
		api.ConfigMap("default", "settings").Set("k", "v")
		synctest.Wait()
		if got, _ := store.Get("k"); got != "v" || failure.Met() != 0 {
			t.Errorf("k = %q, %d requests met the failure", got, failure.Met())
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

// A store goes by what net/http tells of a request, such as whether it was sent.
func TestATraceTellsWhetherARequestWasSent(t *testing.T) {
	for _, test := range []struct {
		fault           mapstoretest.Fault
		connected, sent int
	}{
		{mapstoretest.Slow(0), 1, 1}, {mapstoretest.Refused(), 0, 0}, {mapstoretest.LostRequest(), 1, 1}, {mapstoretest.LostAnswer(), 1, 1},
		{mapstoretest.Conflict(), 1, 1}, {mapstoretest.Forbidden(), 1, 1},
	} {
		t.Run(test.fault.String(), func(t *testing.T) {
			api := mapstoretest.NewAPI(t)
			api.Fail(test.fault, "create")
			connected, sent := 0, 0
			ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
				GotConn:      func(httptrace.GotConnInfo) { connected++ },
				WroteRequest: func(httptrace.WroteRequestInfo) { sent++ },
			})
			object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "settings"}}
			_, _ = api.Client().CoreV1().ConfigMaps("default").Create(ctx, object, metav1.CreateOptions{})
			if connected != test.connected || sent != test.sent {
				t.Errorf("%d connections and %d requests, want %d and %d", connected, sent, test.connected, test.sent)
			}
		})
	}
}
