// Command controller is a controller-runtime program whose policy is a map: the ConfigMap
// "replicas" says how many replicas each Deployment has, by its name.
//
//	go run ./examples/controller                   on a control plane of its own
//	go run ./examples/controller -cluster=current  on the cluster of the current kubeconfig
//
// controller.go is what to copy. This file shows it at work.
package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/unrolled/mapstore/v2/examples/internal/demo"
)

const mapName = "replicas" // rbac.yaml names it too

//go:embed rbac.yaml
var rights []byte

//go:embed deployments.yaml
var deployments []byte

func main() {
	cluster := flag.String("cluster", demo.Local, demo.Usage)
	var opts manager.Options
	flag.StringVar(&opts.HealthProbeBindAddress, "health", "127.0.0.1:0", "`address` of /readyz")
	flag.StringVar(&opts.Metrics.BindAddress, "metrics", "127.0.0.1:0", "`address` of /metrics")
	flag.Parse()
	log.SetLogger(logr.Discard())
	klog.SetLogger(logr.Discard())
	demo.Main(*cluster, show(opts))
}

func show(opts manager.Options) demo.Story {
	return func(ctx context.Context, d *demo.Demo) (err error) {
		config := d.Config
		if d.Plane != nil {
			if config, err = d.As(ctx, rights, "scaler"); err != nil {
				return err
			}
		}
		mgr, err := newManager(config, d.Namespace, opts)
		if err != nil {
			return err
		}
		return during(ctx, mgr, func(ctx context.Context) error { return tell(ctx, d) })
	}
}

// during runs the manager while a story is told.
func during(ctx context.Context, mgr manager.Manager, story func(context.Context) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	both, ctx := errgroup.WithContext(ctx)
	both.Go(func() error { return mgr.Start(ctx) })
	both.Go(func() error {
		defer stop()
		return story(ctx)
	})
	return both.Wait()
}

func tell(ctx context.Context, d *demo.Demo) error {
	if d.Plane == nil {
		d.Say("The ConfigMap %q in the namespace %q now says how many replicas the", mapName, d.Namespace)
		d.Say("Deployments have that are its keys. To try it on three that have no pods:")
		d.Command("kubectl -n %s apply -f examples/controller/deployments.yaml", d.Namespace)
		d.Say("Ctrl-C ends this.")
		<-ctx.Done()
		return nil
	}

	d.Step(ctx, "1. The map says how many replicas each Deployment has")
	d.Command("kubectl apply -f examples/controller/deployments.yaml")
	err := errors.Join(d.Apply(ctx, deployments), scaled(ctx, d, "batch", 2), scaled(ctx, d, "web", 3))
	if err != nil {
		return err
	}

	d.Step(ctx, "2. A change of a key concerns one of them")
	if err := edit(ctx, d, "web", "5", 5); err != nil {
		return err
	}

	d.Step(ctx, "3. A value that is not a number scales nothing, and delays no other")
	if _, err := d.Edit(ctx, mapName, "batch", "many"); err != nil {
		return err
	}
	return errors.Join(edit(ctx, d, "web", "4", 4), scaled(ctx, d, "batch", 2), scaled(ctx, d, "without-a-key", 1))
}

// edit changes the map, and waits for what the controller makes of it.
func edit(ctx context.Context, d *demo.Demo, key, value string, want int32) error {
	start := time.Now()
	if _, err := d.Edit(ctx, mapName, key, value); err != nil {
		return err
	}
	if err := scaled(ctx, d, key, want); err != nil {
		return err
	}
	d.OK("%s was scaled within %s.", key, demo.Short(time.Since(start)))
	return nil
}

// scaled waits until a Deployment has the replicas that it should have.
func scaled(ctx context.Context, d *demo.Demo, name string, want int32) error {
	return wait.PollUntilContextCancel(ctx, time.Millisecond, true, func(ctx context.Context) (bool, error) {
		deployment, err := d.Client.AppsV1().Deployments(d.Namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil || *deployment.Spec.Replicas != want {
			return false, err
		}
		d.Detail("%s: %d replicas", name, want)
		return true, nil
	})
}
