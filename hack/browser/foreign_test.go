package browser

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

func queryEscape(text string) string { return url.QueryEscape(text) }

// createForeign creates the site's map as something that is not a store would.
func createForeign(ctx context.Context, t *testing.T, client kubernetes.Interface, data map[string]string) {
	t.Helper()
	object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "settings", Namespace: "ns"}, Data: data}
	if _, err := client.CoreV1().ConfigMaps("ns").Create(ctx, object, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// A switchable server can be cut off from its browsers, and come back.
type switchable struct {
	mu    sync.Mutex // protects all below
	down  bool
	conns map[net.Conn]bool
}

func (s *switchable) serve(t *testing.T, handler http.Handler) string {
	t.Helper()
	s.conns = make(map[net.Conn]bool)
	server := httptest.NewUnstartedServer(handler)
	server.Config.ConnState = func(conn net.Conn, state http.ConnState) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.down && state == http.StateNew {
			_ = conn.Close()
		}
		s.conns[conn] = true
	}
	server.Start()
	t.Cleanup(server.Close)
	return server.URL
}

func (s *switchable) set(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
	if down {
		for conn := range s.conns {
			_ = conn.Close()
		}
		clear(s.conns)
	}
}
