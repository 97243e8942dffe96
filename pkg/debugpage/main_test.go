package debugpage_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"testing/synctest"

	"github.com/unrolled/mapstore/v2/pkg/debugpage"
	"github.com/unrolled/mapstore/v2/pkg/internal/leak"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
)

func TestMain(m *testing.M) { os.Exit(leak.Check(m.Run())) }

// A site is a store on an API server of its own.
type site struct {
	*testing.T
	api      *mapstoretest.API
	settings *mapstoretest.ConfigMap // the store's map
	store    *mapstore.Store
	shown    http.Handler // the page whose text is compared
}

// inBubble runs a test with a store whose map holds data, or does not exist if data
// is nil. All of it is in a bubble of synctest, so that no test depends on how fast
// the machine is.
func inBubble(t *testing.T, data map[string]string, test func(*site)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		settings := api.ConfigMap("ns", "settings")
		if data != nil {
			settings.Put(data)
		}
		test(&site{T: t, api: api, settings: settings, store: api.Open(t, "settings", mapstore.Options{Namespace: "ns"})})
	})
}

// page returns the page of the store. It knows the current version.
func (s *site) page(opts debugpage.Options) *debugpage.Handler {
	s.Helper()
	page := debugpage.New(s.store, opts)
	s.Cleanup(page.Close)
	synctest.Wait()
	return page
}

// set sets a key, and returns when all callbacks have run.
func (s *site) set(key, value string) {
	s.Helper()
	s.update(func(tx *mapstore.Tx) { tx.Set(key, value) })
}

func (s *site) update(fn func(*mapstore.Tx)) {
	s.Helper()
	if _, err := s.store.Update(s.Context(), func(tx *mapstore.Tx) error {
		fn(tx)
		return nil
	}); err != nil {
		s.Fatal(err)
	}
	synctest.Wait()
}

func get(page http.Handler, url string, header ...string) *httptest.ResponseRecorder {
	return request(page, http.MethodGet, url, header...)
}

// load returns what a browser gets.
func load(page http.Handler, url string) string { return get(page, url).Body.String() }

// A document is the part of the JSON form that is not in testdata.
type document struct{ Value, ValueBase64 *string }

func decode(t *testing.T, page http.Handler, url string) document {
	t.Helper()
	var d document
	w := get(page, url)
	if err := json.Unmarshal(w.Body.Bytes(), &d); err != nil || w.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("%v in %s", err, w.Body)
	}
	return d
}

func request(page http.Handler, method, url string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, url, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	page.ServeHTTP(w, r)
	return w
}
