package main

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"net/http"

	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// mapName is that of the ConfigMap, which rbac.yaml names too.
const mapName = "replicas"

// A demo is the manager at work, and somebody with kubectl beside it.
type demo struct {
	*console
	options
	cluster  *cluster
	manager  manager.Manager
	store    *mapstore.Store
	recorder *recorder
}

// run returns nil when all went as it should. It leaves nothing behind.
func run(ctx context.Context, out io.Writer, opts options) (err error) {
	console := &console{out: out}
	console.say("mapstore in a controller: one ConfigMap says how many replicas each tier has")
	cluster, err := connect(ctx, opts.cluster, console)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, cluster.close()); err == nil {
			console.title("All went as it should, and nothing is left behind.")
		}
	}()
	d, err := newDemo(ctx, cluster, console, opts)
	if err != nil {
		return err
	}
	if opts.cluster == current {
		d.recorder.noted = d.show
		return d.during(ctx, d.untilInterrupted)
	}
	return d.during(ctx, d.story)
}

func newDemo(ctx context.Context, cluster *cluster, console *console, opts options) (*demo, error) {
	d := &demo{console: console, options: opts, cluster: cluster}
	if err := cmp.Or(orFree(&d.metrics), orFree(&d.health)); err != nil {
		return nil, err
	}
	for _, name := range []string{"web-1", "web-2", "web-3", "batch-1", "batch-2", "bystander"} {
		if err := cluster.createDeployment(ctx, name); err != nil {
			return nil, err
		}
	}
	var err error
	d.manager, d.store, err = newManager(cluster.scaler(), cluster.namespace, mapName, manager.Options{
		Metrics:                metricsserver.Options{BindAddress: d.metrics},
		HealthProbeBindAddress: d.health,
		Controller:             config.Controller{SkipNameValidation: new(true)}, // tests run many managers
	})
	if err != nil {
		return nil, err
	}
	d.recorder = newRecorder(&scaler{Client: d.manager.GetClient(), replicas: d.store})
	return d, watchBoth(ctx, d.manager, d.store, d.recorder)
}

// during runs the manager while task runs, and returns the first error of the two.
func (d *demo) during(ctx context.Context, task func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	managing, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		err := d.manager.Start(managing)
		cancel(err)
		ended <- err
	}()
	err := task(ctx)
	stop()
	if failed := <-ended; failed != nil {
		return failed
	}
	return err
}

// untilInterrupted leaves it to the viewer to change things.
func (d *demo) untilInterrupted(ctx context.Context) error {
	if err := d.cluster.createMap(ctx, map[string]string{"web": "3", "batch": "2"}); err != nil {
		return err
	}
	d.say("Probes are at http://%s, metrics at http://%s/metrics. Try this:", d.health, d.metrics)
	d.command("kubectl -n %s patch configmap %s -p '{\"data\":{\"web\":\"5\"}}'", d.cluster.namespace, mapName)
	d.say("What is reconciled is shown here until you press Ctrl-C.")
	<-ctx.Done()
	return nil
}

func (d *demo) show(name string) { d.detail("reconciled: %s", name) }

// get returns the status and body of a page that the manager serves.
func (d *demo) get(ctx context.Context, url string) (int, string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	request.Close = true // a connection that stays open would hold up the manager's end
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, string(body), err
}

// orFree makes an address that is not given one that is free at the moment.
func orFree(address *string) error {
	if *address != "" {
		return nil
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer listener.Close()
	*address = listener.Addr().String()
	return nil
}
