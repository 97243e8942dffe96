package e2e

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"

	"github.com/unrolled/mapstore/v2/hack/kube"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// clearEnvironment makes sure that Open sees only what the test sets.
func clearEnvironment(t *testing.T) {
	t.Helper()
	for _, name := range []string{"MAPSTORE_CLUSTER_CONFIG_PATH", "KUBECONFIG", "NAMESPACE", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"} {
		t.Setenv(name, "")
		os.Unsetenv(name)
	}
	t.Setenv("HOME", t.TempDir())
}

func (s *site) kubeconfig(namespace string) string {
	s.Helper()
	path := filepath.Join(s.TempDir(), "kubeconfig")
	if err := kube.WriteKubeconfig(s.plane.Config(), namespace, path); err != nil {
		s.Fatal(err)
	}
	return path
}

func TestOpenReadsTheEnvironment(t *testing.T) {
	s := newSite(t)
	s.create(&corev1.ConfigMap{Data: map[string]string{"k": "v"}})
	for name, set := range map[string]func(t *testing.T) mapstore.Options{
		"MAPSTORE_CLUSTER_CONFIG_PATH before KUBECONFIG, namespace from the context": func(t *testing.T) mapstore.Options {
			t.Setenv("MAPSTORE_CLUSTER_CONFIG_PATH", s.kubeconfig(s.namespace))
			t.Setenv("KUBECONFIG", "/nonexistent")
			return mapstore.Options{}
		},
		"KUBECONFIG, namespace from NAMESPACE": func(t *testing.T) mapstore.Options {
			t.Setenv("KUBECONFIG", s.kubeconfig("other"))
			t.Setenv("NAMESPACE", s.namespace)
			return mapstore.Options{}
		},
		"KUBECONFIG, namespace from Options": func(t *testing.T) mapstore.Options {
			t.Setenv("KUBECONFIG", s.kubeconfig("other"))
			t.Setenv("NAMESPACE", "another")
			return mapstore.Options{Namespace: s.namespace}
		},
	} {
		t.Run(name, func(t *testing.T) {
			clearEnvironment(t)
			opts := set(t)
			store, err := mapstore.Open(s.within(), mapName, opts)
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			if got, _ := store.Get("k"); got != "v" {
				t.Errorf("Get = %q", got)
			}
			// Client-go's default of 5 requests a second, after the first 10, would take
			// longer each time.
			s.until("without a limit of requests", func() bool {
				start := time.Now()
				for range 30 {
					if _, err := store.Sync(s.within()); err != nil {
						t.Fatal(err)
					}
				}
				return time.Since(start) < 4*time.Second
			})
		})
	}
}

func TestOpenSaysWhatIsWrongWithTheKubeconfig(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nowhere := listener.Addr().String()
	listener.Close()
	pointsNowhere := plane.Config()
	pointsNowhere.Host = "https://" + nowhere
	nowherePath := filepath.Join(t.TempDir(), "nowhere")
	if err := kube.WriteKubeconfig(pointsNowhere, "ns", nowherePath); err != nil {
		t.Fatal(err)
	}
	malformed := filepath.Join(t.TempDir(), "malformed")
	if err := os.WriteFile(malformed, []byte("{not yaml"), 0o600); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(t.TempDir(), "missing")

	for _, row := range []struct{ variable, path, says string }{
		{"MAPSTORE_CLUSTER_CONFIG_PATH", missing, missing},
		{"MAPSTORE_CLUSTER_CONFIG_PATH", malformed, malformed},
		{"KUBECONFIG", missing, missing},
		{"KUBECONFIG", malformed, malformed},
		{"KUBECONFIG", nowherePath, nowhere},
	} {
		t.Run(row.variable+"="+filepath.Base(row.path), func(t *testing.T) {
			clearEnvironment(t)
			t.Setenv(row.variable, row.path)
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			store, err := mapstore.Open(ctx, mapName, mapstore.Options{Namespace: "ns"})
			if err == nil {
				store.Close()
				t.Fatal("Open succeeded")
			}
			if !strings.Contains(err.Error(), row.says) || row.says == nowhere && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Open: %v, want it to name %s, and its ctx's end if it has waited", err, row.says)
			}
		})
	}
	clearEnvironment(t)
	t.Setenv("KUBECONFIG", nowherePath)
	if _, err := mapstore.Open(t.Context(), "Bad/Name", mapstore.Options{}); !errors.Is(err, mapstore.ErrInvalidName) {
		t.Errorf("Open with a bad name: %v", err)
	}
}

func TestOpenAndCloseLeaveNoGoroutine(t *testing.T) {
	s := newSite(t)
	clearEnvironment(t)
	t.Setenv("KUBECONFIG", s.kubeconfig(s.namespace))
	open := func() {
		store, err := mapstore.Open(s.within(), mapName, mapstore.Options{})
		if err != nil {
			t.Fatal(err)
		}
		store.OnChange(func(mapstore.Change) {})
		s.set(store, "k", "v")
		store.Close()
	}
	open() // whatever client-go starts once and for all
	before := goleak.IgnoreCurrent()
	for range 5 {
		open()
	}
	s.until("rid of its goroutines", func() bool { return goleak.Find(before) == nil })
}
