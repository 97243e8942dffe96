package main

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/unrolled/mapstore/v2/examples/internal/demo"
	"github.com/unrolled/mapstore/v2/examples/internal/demotest"
)

func TestMain(m *testing.M) {
	log.SetLogger(logr.Discard())
	goleak.VerifyTestMain(m)
}

// alone returns options of a manager that is one of many in a process, and does not know.
func alone() (opts manager.Options) {
	metrics.Registry = prometheus.NewRegistry()
	opts.Controller.SkipNameValidation = new(true)
	return opts
}

// The manager has the rights of rbac.yaml and no others. The story checks what its viewer sees.
func TestTheControllerScalesWhatTheMapSays(t *testing.T) {
	t.Log("\n" + demotest.Run(t, demo.Own, show(alone())))
}

// The server's answer to the first request for the map is held up until somebody is
// reconciled, or long enough for that to happen.
func TestNobodyIsReconciledBeforeTheMapIsKnown(t *testing.T) {
	demotest.Run(t, demo.Own, func(ctx context.Context, d *demo.Demo) error {
		if err := d.Apply(ctx, deployments); err != nil {
			return err
		}
		var held, early atomic.Bool
		reconciled := make(chan struct{}, 1)
		d.Config.Wrap(func(next http.RoundTripper) http.RoundTripper {
			return roundTripper(func(request *http.Request) (*http.Response, error) {
				if strings.Contains(request.URL.Path, "/configmaps") && held.CompareAndSwap(false, true) {
					select {
					case <-reconciled:
						early.Store(true)
					case <-time.After(time.Second):
					}
				}
				return next.RoundTrip(request)
			})
		})
		opts := alone()
		opts.NewClient = func(config *rest.Config, options client.Options) (client.Client, error) {
			c, err := client.New(config, options)
			return noted{c, reconciled}, err
		}
		mgr, err := newManager(d.Config, d.Namespace, opts)
		if err != nil {
			return err
		}
		return during(ctx, mgr, func(ctx context.Context) error {
			err := scaled(ctx, d, "web", 3)
			if !held.Load() || early.Load() {
				t.Errorf("held up: %v, early: %v", held.Load(), early.Load())
			}
			return err
		})
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }

// A noted client tells of the Gets of Reconcile.
type noted struct {
	client.Client
	reconciled chan<- struct{}
}

func (n noted) Get(ctx context.Context, key client.ObjectKey, object client.Object, opts ...client.GetOption) error {
	select {
	case n.reconciled <- struct{}{}:
	default:
	}
	return n.Client.Get(ctx, key, object, opts...)
}
