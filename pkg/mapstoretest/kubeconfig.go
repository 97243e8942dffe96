package mapstoretest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
)

// Kubeconfig returns the path of a kubeconfig for the API server, with "default"
// as its namespace, for code that connects by itself:
//
//	t.Setenv("MAPSTORE_CLUSTER_CONFIG_PATH", api.Kubeconfig())
//	store, err := mapstore.Open(ctx, "settings", mapstore.Options{})
//
// Faults apply, but Refused breaks the connection here, so that the client cannot
// know that nothing was sent. Kubeconfig uses the loopback network, so it cannot be
// used in a synctest bubble.
func (a *API) Kubeconfig() string {
	a.t.Helper()
	proxy := &httputil.ReverseProxy{
		Transport:     a.link,
		FlushInterval: -1, // events are due at once
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: "mapstoretest.invalid"}) },
		ErrorHandler:  func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	server := httptest.NewServer(proxy)
	a.t.Cleanup(func() {
		server.CloseClientConnections() // or it would wait for the watches
		server.Close()
	})
	path := filepath.Join(a.t.TempDir(), "kubeconfig")
	if err := os.WriteFile(path, fmt.Appendf(nil, `apiVersion: v1
kind: Config
current-context: test
contexts: [{name: test, context: {cluster: test, namespace: default}}]
clusters: [{name: test, cluster: {server: %q}}]
`, server.URL), 0o600); err != nil {
		a.t.Fatalf("mapstoretest: %v", err)
	}
	return path
}
