package metrics_test

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"net/http/httptest"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/unrolled/mapstore/metrics/v2"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

func ExampleNewCollector() {
	store, err := mapstore.New(fake.NewClientset(), "default", "settings", mapstore.Options{}) // or mapstore.Open
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()

	reg := prometheus.NewRegistry()
	reg.MustRegister(metrics.NewCollector(store))
	server := httptest.NewServer(promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	defer server.Close()

	go store.Start(context.Background()) //nolint:errcheck // it was not started before
	if err := store.Set(context.Background(), "log-level", "debug"); err != nil {
		log.Fatal(err)
	}

	response, err := server.Client().Get(server.URL)
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "mapstore_healthy") || strings.HasPrefix(lines.Text(), "mapstore_size_bytes") {
			fmt.Println(lines.Text())
		}
	}
	// Output:
	// mapstore_healthy{configmap="settings",namespace="default"} 1
	// mapstore_size_bytes{configmap="settings",namespace="default"} 5
}
