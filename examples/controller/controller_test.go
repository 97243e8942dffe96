package main

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

func TestAChangeOfAKeyReconcilesExactlyTheDeploymentsItConcernsOnceEach(t *testing.T) {
	s := runs(t)
	mark := s.recorder.mark()
	s.must(s.cluster.set(t.Context(), "web", "03")) // nobody is scaled, so nothing comes of the Reconcile
	s.await(mark, "web-1", "web-2", "web-3")
	s.settled()
	if got := s.since(mark); !slices.Equal(got, []string{"web-1", "web-2", "web-3"}) {
		t.Errorf("reconciled: %v", got)
	}

	mark = s.recorder.mark()
	s.must(s.cluster.set(t.Context(), "nobody", "7"))
	s.must(s.cluster.set(t.Context(), "batch", "02"))
	s.await(mark, "batch-1", "batch-2")
	s.settled()
	if got := s.since(mark); !slices.Equal(got, []string{"batch-1", "batch-2"}) {
		t.Errorf("reconciled: %v", got)
	}
}

func TestADeploymentThatChangesItsTierFollowsTheNewOne(t *testing.T) {
	s := runs(t)
	moved := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: s.cluster.namespace, Name: "batch-1"}}
	mark := s.recorder.mark()
	s.must(s.cluster.client.Patch(t.Context(), moved, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"tier":"web"}}}`))))
	s.await(mark, "batch-1")
	s.settled()
	s.has(map[string]int32{"batch-1": 3, "batch-2": 2})

	mark = s.recorder.mark()
	s.must(s.cluster.set(t.Context(), "web", "6"))
	s.await(mark, "web-1", "web-2", "web-3", "batch-1")
	s.settled()
	s.has(map[string]int32{"web-1": 6, "web-2": 6, "web-3": 6, "batch-1": 6, "batch-2": 2})
}

func TestWhoScalesByHandIsOverruled(t *testing.T) {
	s := runs(t)
	byHand := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: s.cluster.namespace, Name: "web-1"}}
	mark := s.recorder.mark()
	s.must(s.cluster.client.Patch(t.Context(), byHand, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"replicas":9}}`))))
	s.await(mark, "web-1")
	s.settled()
	s.has(map[string]int32{"web-1": 3})
}

func TestADeletedMapScalesNobodyAndARecreatedOneIsFollowed(t *testing.T) {
	s := runs(t)
	mark := s.recorder.mark()
	s.must(s.cluster.deleteMap(t.Context()))
	s.await(mark, "web-1", "web-2", "web-3", "batch-1", "batch-2")
	s.settled()
	s.has(map[string]int32{"web-1": 3, "web-2": 3, "web-3": 3, "batch-1": 2, "batch-2": 2})

	mark = s.recorder.mark()
	s.must(s.cluster.createMap(t.Context(), map[string]string{"web": "3", "batch": "0"}))
	s.await(mark, "web-1", "web-2", "web-3", "batch-1", "batch-2")
	s.settled()
	s.has(map[string]int32{"web-1": 3, "batch-1": 0, "batch-2": 0})
}

func TestThroughAnOutageTheManagerIsAliveAndNotReadyAndThenGoesOn(t *testing.T) {
	s := runs(t)
	s.serves("/healthz", http.StatusOK)
	s.must(s.awaitReadyz(s.within(10*time.Second), http.StatusOK))

	s.must(plane.APIServer.Kill())
	err := s.awaitReadyz(s.within(10*time.Second), http.StatusInternalServerError)
	s.serves("/healthz", http.StatusOK)
	if web, _ := s.store.Get("web"); web != "3" {
		t.Errorf("in the outage web is %q", web)
	}
	s.must(errors.Join(err, plane.APIServer.Restart(t.Context())))

	ready, mark := time.Now(), s.recorder.mark()
	s.must(s.cluster.set(t.Context(), "web", "8"))
	s.await(mark, "web-1", "web-2", "web-3")
	t.Logf("the tier was scaled %v after the server was ready", time.Since(ready).Round(time.Millisecond))
	s.has(map[string]int32{"web-1": 8, "web-2": 8, "web-3": 8, "batch-1": 2})
	s.must(s.awaitReadyz(s.within(10*time.Second), http.StatusOK))
}

func TestMetricsCountEachReconcileAndTellOfTheStore(t *testing.T) {
	s := runs(t)
	code, body, err := s.get(t.Context(), "http://"+s.metrics+"/metrics")
	if err != nil || code != http.StatusOK {
		t.Fatalf("%d, %v", code, err)
	}
	for _, line := range []string{
		`controller_runtime_reconcile_total{controller="scaler",result="success"}`,
		`mapstore_healthy{configmap="` + s.store.Name() + `",namespace="` + s.store.Namespace() + `"} 1`,
	} {
		if !strings.Contains(body, line) {
			t.Errorf("%s is not in\n%s", line, body)
		}
	}
}

func (s *site) serves(path string, want int) {
	s.Helper()
	if code, body, err := s.get(s.Context(), "http://"+s.health+path); err != nil || code != want {
		s.Errorf("%s: %d %s %v, want %d", path, code, body, err, want)
	}
}

// The server's answer to the first request for the map is held up until somebody
// is reconciled, or long enough for that to happen.
func TestNobodyIsReconciledBeforeTheMapIsKnown(t *testing.T) {
	reconciled := make(chan struct{})
	first := sync.OnceFunc(func() { close(reconciled) })
	var held atomic.Int64
	s := newSite(t, func(c *cluster) {
		c.config.Wrap(func(next http.RoundTripper) http.RoundTripper {
			return roundTripper(func(request *http.Request) (*http.Response, error) {
				if strings.Contains(request.URL.Path, "/configmaps") {
					held.Add(1)
					select {
					case <-reconciled:
					case <-time.After(time.Second):
					}
				}
				return next.RoundTrip(request)
			})
		})
	})
	var early atomic.Int64
	s.recorder.Reconciler = reconcile.Func(func(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
		if !s.store.Status().Synced {
			early.Add(1)
		}
		first()
		return (&scaler{s.manager.GetClient(), s.store}).Reconcile(ctx, request)
	})
	s.must(s.cluster.createMap(t.Context(), map[string]string{"web": "3"}))
	s.start()
	s.await(0, "web-1", "web-2", "web-3", "batch-1", "batch-2", "bystander")
	if early.Load() > 0 || held.Load() == 0 {
		t.Errorf("%d were reconciled early; %d requests for the map were held up", early.Load(), held.Load())
	}
	s.has(map[string]int32{"web-1": 3})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }

func TestAValueThatIsNoNumberScalesNobodyAndIsNotLogged(t *testing.T) {
	s := runs(t)
	for _, bad := range []string{"secret-value", "-77000", "99000000000"} {
		mark := s.recorder.mark()
		s.must(s.cluster.set(t.Context(), "web", bad))
		s.await(mark, "web-1", "web-2", "web-3")
		s.settled()
		s.has(map[string]int32{"web-1": 3, "web-2": 3, "web-3": 3})
		if log := logged.String(); !strings.Contains(log, "not a number of replicas") || strings.Contains(log, bad) {
			t.Errorf("the log says nothing, or too much:\n%s", log)
		}
		if got := s.since(mark); len(got) != 3 {
			t.Errorf("tried again before the key has changed: %v", got)
		}
	}
	mark := s.recorder.mark()
	s.must(s.cluster.set(t.Context(), "web", "4"))
	s.await(mark, "web-1", "web-2", "web-3")
	s.has(map[string]int32{"web-1": 4, "web-2": 4, "web-3": 4})
}
