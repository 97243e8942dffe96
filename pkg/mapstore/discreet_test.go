package mapstore_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-logr/logr/funcr"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// What answers in place of the API server may hold anything, and is not quoted.
func TestNothingIsLoggedOfAnAnswerThatNoServerHasWritten(t *testing.T) {
	const canary = "canary-4711"
	for name, row := range map[string]struct {
		code int
		body string
	}{
		"a page":                    {200, "<html>" + canary + "</html>"},
		"another answer":            {200, `{"status":"` + canary + `"}`},
		"an error without a Status": {500, canary},
		"half a list":               {200, `{"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVersion":"5"},"items":[{"data":{"k":"` + canary},
		"a list of something else":  {200, `{"kind":"` + canary + `","apiVersion":"v1"}`},
	} {
		t.Run(name, func(t *testing.T) {
			said := make(chan string, 100)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(row.code)
				_, _ = io.WriteString(w, row.body)
			}))
			defer server.Close()
			client, err := kubernetes.NewForConfig(&rest.Config{Host: server.URL, QPS: -1})
			if err != nil {
				t.Fatal(err)
			}
			store, err := mapstore.New(client, "ns", "settings", mapstore.Options{Logger: funcr.New(func(_, args string) { said <- args }, funcr.Options{})})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				_ = store.Start(ctx)
			}()
			text := <-said
			cancel()
			<-ended
			if strings.Contains(text, canary) {
				t.Errorf("the log has %q", text)
			}
		})
	}
}
