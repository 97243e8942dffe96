package e2e

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

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
	s.create(map[string]string{"k": "v"})
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
		"the usual kubeconfig": func(t *testing.T) mapstore.Options {
			dir := filepath.Join(os.Getenv("HOME"), ".kube")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			// client-go has read HOME when the program began, so name the file.
			t.Setenv("KUBECONFIG", filepath.Join(dir, "config"))
			return mapstore.Options{}
		},
	} {
		if name == "the usual kubeconfig" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			clearEnvironment(t)
			opts := set(t)
			store, err := mapstore.Open(within(t, 20*time.Second), mapName, opts)
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			if got, _ := store.Get("k"); got != "v" {
				t.Errorf("Get = %q", got)
			}
			// Client-go's default of 5 requests a second would take 9 s for 50.
			start := time.Now()
			for range 50 {
				if _, err := store.Sync(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("50 requests took %v", took)
			}
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

	for _, variable := range []string{"MAPSTORE_CLUSTER_CONFIG_PATH", "KUBECONFIG"} {
		for path, says := range map[string]string{missing: missing, malformed: malformed, nowherePath: nowhere} {
			t.Run(variable+"="+filepath.Base(path), func(t *testing.T) {
				clearEnvironment(t)
				t.Setenv(variable, path)
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				store, err := mapstore.Open(ctx, mapName, mapstore.Options{Namespace: "ns"})
				if err == nil {
					store.Close()
					t.Fatal("Open succeeded")
				}
				if !strings.Contains(err.Error(), says) {
					t.Errorf("Open: %v, want it to name %s", err, says)
				}
				if path == nowherePath && !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Open: %v, want the ctx's error in it", err)
				}
				t.Log(err)
			})
		}
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
		store, err := mapstore.Open(within(t, 20*time.Second), mapName, mapstore.Options{})
		if err != nil {
			t.Fatal(err)
		}
		store.OnChange(func(mapstore.Change) {})
		s.set(store, "k", "v")
		store.Close()
	}
	open() // whatever client-go starts once and for all
	settles(t, "goroutines", func() bool { return blockedIn("mapstore.") == 0 })
	before := runtime.NumGoroutine()
	for range 5 {
		open()
	}
	settles(t, "goroutines", func() bool { return runtime.NumGoroutine() <= before })
}
