package debugpage_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"

	"github.com/unrolled/mapstore/v2/pkg/debugpage"
	"github.com/unrolled/mapstore/v2/pkg/internal/leak"
	"github.com/unrolled/mapstore/v2/pkg/internal/memapi"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

func TestMain(m *testing.M) { os.Exit(leak.Check(m.Run())) }

// A site is a store on an API server of its own.
type site struct {
	*testing.T
	api    *httptest.Server
	client kubernetes.Interface
	store  *mapstore.Store
}

// newSite starts a store for a map that holds data.
func newSite(t *testing.T, data map[string]string) *site {
	t.Helper()
	api := httptest.NewServer(&memapi.Server{})
	t.Cleanup(api.Close)
	client, err := kubernetes.NewForConfig(&rest.Config{Host: api.URL, QPS: -1})
	if err != nil {
		t.Fatal(err)
	}
	s := &site{T: t, api: api, client: client}
	if data != nil {
		s.create(data)
	}
	s.start()
	return s
}

// newForeignSite starts a store for a map that holds what no API server would
// let in.
func newForeignSite(t *testing.T, data map[string]string) *site {
	t.Helper()
	s := &site{T: t, client: fake.NewClientset()}
	s.create(data)
	s.start()
	return s
}

func (s *site) start() {
	s.Helper()
	var err error
	if s.store, err = mapstore.New(s.client, "ns", "settings", mapstore.Options{}); err != nil {
		s.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := s.store.Start(s.Context()); err != nil {
			s.Errorf("Start: %v", err)
		}
	}()
	s.Cleanup(func() {
		s.store.Close()
		<-ended
	})
	if err := s.store.WaitForSync(s.Context()); err != nil {
		s.Fatal(err)
	}
}

func (s *site) create(data map[string]string) {
	s.Helper()
	object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "settings"}, Data: data}
	if _, err := s.client.CoreV1().ConfigMaps("ns").Create(s.Context(), object, metav1.CreateOptions{}); err != nil {
		s.Fatal(err)
	}
}

// page returns the page of the store, once it knows the current version.
func (s *site) page(opts debugpage.Options) *debugpage.Handler {
	s.Helper()
	page := debugpage.New(s.store, opts)
	s.Cleanup(page.Close)
	if s.store.Snapshot().Len() > 0 {
		eventually(s.T, "the page knows the current version", func() bool {
			return len(decode(s.T, get(page, "/?format=json")).Changes) > 0
		})
	}
	return page
}

func (s *site) set(key, value string) {
	s.Helper()
	if err := s.store.Set(s.Context(), key, value); err != nil {
		s.Fatal(err)
	}
}

func get(page http.Handler, url string, header ...string) *httptest.ResponseRecorder {
	return request(page, http.MethodGet, url, header...)
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

// eventually fails the test when cond does not come true within ten seconds.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}
