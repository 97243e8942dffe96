package browser

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/unrolled/mapstore/v2/pkg/debugpage"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
)

// A site is a store with its page, on an admin server.
type site struct {
	*testing.T
	api   *mapstoretest.API
	store *mapstore.Store
	page  *debugpage.Handler
	url   string

	release func() // ends the callback that is behind, for which closing the store waits
}

func newSite(t *testing.T, opts debugpage.Options) *site {
	t.Helper()
	api := mapstoretest.NewAPI(t)
	store := api.Open(t, "settings", mapstore.Options{Namespace: "checkout"})
	if opts.Instance == "" {
		opts.Instance = "checkout-6d4f9c7b8-x2x7p"
	}
	page := debugpage.New(store, opts)
	mux := http.NewServeMux()
	mux.Handle("/debug/mapstore/", page)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	t.Cleanup(page.Close) // before the server, which waits for its requests
	return &site{T: t, api: api, store: store, page: page, url: server.URL + "/debug/mapstore/"}
}

func (s *site) set(key, value string) {
	s.Helper()
	s.update(func(tx *mapstore.Tx) { tx.Set(key, value) })
}

func (s *site) update(fn func(tx *mapstore.Tx)) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), 20*time.Second)
	defer cancel()
	if _, err := s.store.Update(ctx, func(tx *mapstore.Tx) error {
		fn(tx)
		return nil
	}); err != nil {
		s.Fatal(err)
	}
}

// Services that follow their configuration, by the names of their callbacks.
type service struct{ release chan struct{} }

func (*service) reloadRoutes(mapstore.Change)   {}
func (*service) forgetSessions(mapstore.Change) {}
func (s *service) rebuildIndex(mapstore.Change) { <-s.release }

// populate makes it the page of a service in use: subscriptions, one of which is
// behind, values of some kinds, and changes of all kinds.
func (s *site) populate() {
	s.Helper()
	service := &service{release: make(chan struct{})}
	s.release = sync.OnceFunc(func() { close(service.release) })
	s.Cleanup(s.release)
	s.update(func(tx *mapstore.Tx) {
		tx.Set("log-level", "info")
		tx.Set("limits.yaml", strings.Repeat("burst: 100\n", 3000))
		tx.Set("routes.json", `{"routes":[`+strings.Repeat(`{"path":"/v1/orders","to":"orders:8080"},`, 2000)+`{}]}`)
		tx.Set("feature.express", "off")
		tx.Set("certificate.der", string([]byte{0x30, 0x82, 0x03, 0x9f, 0xa0, 0x03, 0, 0xff, 0xfe}))
		tx.Set("greeting", "Grüß Gott, 世界")
		tx.Set("maintenance", "")
	})
	s.store.OnChange(service.reloadRoutes)
	s.store.OnChange(service.rebuildIndex)
	for range 3 {
		s.store.OnChange(service.forgetSessions)
	}
	s.set("log-level", "debug")
	s.update(func(tx *mapstore.Tx) {
		tx.Set("feature.express", "on")
		tx.Delete("maintenance")
	})
	s.update(func(tx *mapstore.Tx) {
		for i := range 40 {
			tx.Set(fmt.Sprintf("tenant.%03d", i), strings.Repeat("x", 40+i*i))
		}
	})
	s.set("log-level", "info")
}
