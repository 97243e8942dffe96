package main

import (
	"testing"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"sigs.k8s.io/controller-runtime/pkg/config"
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

// The manager has the rights of rbac.yaml and no others. The story checks what its viewer sees.
func TestTheControllerScalesWhatTheMapSays(t *testing.T) {
	metrics.Registry = prometheus.NewRegistry() // not that of the test before, when it runs again
	opts := manager.Options{Controller: config.Controller{SkipNameValidation: new(true)}}
	t.Log("\n" + demotest.Run(t, demo.Local, show(opts)))
}
