package debugpage_test

import (
	"context"
	"log"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/unrolled/mapstore/v2/pkg/debugpage"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// The page belongs beside pprof, on a port that only operators can reach.
func Example() {
	store, err := mapstore.Open(context.Background(), "settings", mapstore.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()

	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.Handle("/debug/mapstore/", debugpage.New(store, debugpage.Options{}))
	server := &http.Server{Addr: "localhost:6060", Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	log.Fatal(server.ListenAndServe())
}
