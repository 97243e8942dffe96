package mapstore_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
	"github.com/unrolled/mapstore/v2/pkg/watch"
)

// A logbook keeps the lines of a log.
type logbook struct {
	mu    sync.Mutex // protects lines
	lines []string
}

func (b *logbook) logger() logr.Logger {
	return funcr.New(func(_, line string) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.lines = append(b.lines, line)
	}, funcr.Options{})
}

// take returns the lines since the last call.
func (b *logbook) take() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	lines := strings.Join(b.lines, "\n")
	b.lines = nil
	return lines
}

// A server goes on serving a watch after the right to it is gone. So a denial of anything
// else asks again whether the copy can be followed.
func TestADenialMakesTheOpenWatchSuspect(t *testing.T) {
	for what, call := range map[string]func(t *testing.T, store *mapstore.Store) error{
		"a write": func(t *testing.T, store *mapstore.Store) error { return store.Set(t.Context(), "k", "w") },
		"a Sync":  func(t *testing.T, store *mapstore.Store) error { _, err := store.Sync(t.Context()); return err },
	} {
		synctest.Test(t, func(t *testing.T) {
			api, store := started(t)
			if err := store.WaitForSync(t.Context()); err != nil {
				t.Fatal(err)
			}
			rights := api.Fail(mapstoretest.Forbidden(), "get", "list", "watch", "update", "create", "patch")
			time.Sleep(time.Minute)
			if err := store.Status().Err; err != nil {
				t.Fatalf("%s: the watch has not outlived the rights, so this shows nothing: %v", what, err)
			}
			if err := call(t, store); !apierrors.IsForbidden(err) {
				t.Errorf("%s: %v", what, err)
			}
			time.Sleep(time.Second)
			if err := store.Status().Err; !apierrors.IsForbidden(err) {
				t.Errorf("a second after %s was denied: %v", what, err)
			}
			rights.End()
			time.Sleep(5 * time.Second)
			if err := store.Status().Err; err != nil {
				t.Errorf("after %s: %v", what, err)
			}
		})
	}
}

func TestDenialsOpenFewWatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api, store := started(t)
		api.Fail(mapstoretest.Forbidden(), "update", "create", "patch")
		for range 600 {
			if err := store.Set(t.Context(), "k", "w"); !apierrors.IsForbidden(err) {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(time.Second)
		if n := store.Stats().Reconnects; n < 1 || n > 3 {
			t.Errorf("%d watches were opened anew within a minute", n)
		}
		if err := store.Status().Err; err != nil {
			t.Errorf("reads are allowed: %v", err)
		}
	})
}

// What somebody sees who looks only at the log: which map of which cluster was found, and
// if none was, why.
func TestTheLogSaysWhatTheFirstSyncHasFound(t *testing.T) {
	const cluster = `"cluster"="http://mapstoretest.invalid"`
	for what, row := range map[string]struct {
		exists, must bool
		says         string
	}{
		"a map":               {true, false, `"level"=0 "msg"="Synced" "namespace"="default" "configmap"="settings" ` + cluster + ` "revision"="2" "keys"=1`},
		"no map":              {false, false, `"level"=0 "msg"="The map does not exist; the first write creates it" "namespace"="default" "configmap"="settings" ` + cluster},
		"no map, and it must": {false, true, `"msg"="The map does not exist, though Options.MustExist is set" "error"=null "namespace"="default" "configmap"="settings" ` + cluster},
	} {
		synctest.Test(t, func(t *testing.T) {
			api := mapstoretest.NewAPI(t)
			if row.exists {
				api.ConfigMap("default", "settings").Set("k", "v")
			}
			var log logbook
			api.Start(t, "settings", mapstore.Options{Logger: log.logger(), MustExist: row.must})
			time.Sleep(time.Hour)
			if said := log.take(); said != row.says {
				t.Errorf("%s: the log says\n%s, want\n%s", what, said, row.says)
			}
		})
	}
}

func TestTheLogSaysWhyThereIsNoCopy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		api.ConfigMap("default", "settings").Set("k", "v")
		var log logbook
		refused := api.Fail(mapstoretest.Refused())
		store := api.Start(t, "settings", mapstore.Options{Logger: log.logger()})
		time.Sleep(time.Minute)
		if said := log.take(); strings.Count(said, "\n") > 0 || !strings.Contains(said, "there is no copy") || !strings.Contains(said, "connection refused") {
			t.Errorf("without a server: %s", said)
		}
		refused.End()
		time.Sleep(time.Minute)
		if said := log.take(); !strings.Contains(said, "Following the API server again") || !strings.Contains(said, "Synced") {
			t.Errorf("with one: %s", said)
		}
		store.Close()

		hangs := api.Fail(mapstoretest.Hang())
		defer hangs.End()
		api.Start(t, "settings", mapstore.Options{Logger: log.logger()})
		time.Sleep(2 * time.Second)
		if said := log.take(); said != "" {
			t.Errorf("after two seconds: %s", said)
		}
		time.Sleep(2 * time.Second)
		if said := log.take(); !strings.Contains(said, "Not synced yet") || !strings.Contains(said, "waiting for the API server's answer") || strings.Contains(said, "\n") {
			t.Errorf("after four seconds: %s", said)
		}
	})
}

func TestTheLogSaysForHowLongTheServerWasSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		var log logbook
		api.Open(t, "settings", mapstore.Options{Logger: log.logger()})
		time.Sleep(40 * time.Second) // less than a bookmark
		log.take()
		refused := api.Fail(mapstoretest.Refused())
		time.Sleep(10 * time.Second)
		refused.End()
		time.Sleep(5 * time.Second)
		var after, silent time.Duration
		for field := range strings.FieldsSeq(log.take()) {
			for name, to := range map[string]*time.Duration{"after": &after, "silent": &silent} {
				if text, ok := strings.CutPrefix(field, `"`+name+`"=`); ok {
					*to, _ = time.ParseDuration(strings.Trim(text, `"`))
				}
			}
		}
		if after < 9*time.Second || after > 13*time.Second || silent < after+39*time.Second {
			t.Errorf("after %v, silent for %v", after, silent)
		}
	})
}

func TestAStoreNamesItsCluster(t *testing.T) {
	for host, want := range map[string]string{
		"https://10.0.0.1:6443":           "https://10.0.0.1:6443",
		"https://10.0.0.1:6443/":          "https://10.0.0.1:6443",
		"10.0.0.1":                        "http://10.0.0.1",
		"https://me@rancher/k8s/clusters": "https://rancher/k8s/clusters",
	} {
		store, err := mapstore.New(kubernetes.NewForConfigOrDie(&rest.Config{Host: host}), "ns", "name", mapstore.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := store.Cluster(); got != want {
			t.Errorf("Cluster of %s = %s", host, got)
		}
	}
	store, err := mapstore.New(fake.NewClientset(), "ns", "name", mapstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := store.Cluster(); got != "" {
		t.Errorf("Cluster of a fake clientset = %s", got)
	}
}

// NewFromEnvironment finds the cluster as Open does, and waits for nothing.
func TestAStoreFromTheEnvironmentNeedsNoServer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config")
	config := "{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c, namespace: from-context}}], clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}]}"
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("MAPSTORE_CLUSTER_CONFIG_PATH", path)
	t.Setenv("NAMESPACE", "")
	store, err := mapstore.NewFromEnvironment("settings", mapstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if store.Namespace() != "from-context" || store.Cluster() != "http://127.0.0.1:1" || store.Status().Synced {
		t.Errorf("%s in %s, %+v", store.Namespace(), store.Cluster(), store.Status())
	}
}

func TestStatusHasTheLastFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api, store := started(t)
		if err := store.WaitForSync(t.Context()); err != nil || store.Status().LastFailure.Err != nil {
			t.Fatalf("at first: %v, %v", store.Status().LastFailure, err)
		}
		policy := api.Fail(mapstoretest.Answer(apierrors.NewInvalid(corev1.SchemeGroupVersion.WithKind("ConfigMap").GroupKind(), "settings", nil)), "update")
		err := store.Set(t.Context(), "k", "w")
		policy.End()
		began := time.Now()
		time.Sleep(time.Minute)
		if err := store.Set(t.Context(), "k", "w"); err != nil {
			t.Fatal(err)
		}
		if last := store.Status().LastFailure; err == nil || last.Err != err || !last.Time.Equal(began) { //nolint:errorlint // it is the same
			t.Errorf("%v, want %v", last, err)
		}
	})
}

// Who is known to have written. Each write is by another manager, as the server tells them
// apart: by name.
func TestAChangeNamesWhoHasWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		var told []string
		changes := func(store *mapstore.Store) *watch.Subscription {
			return store.OnChange(func(c mapstore.Change) { told = append(told, fmt.Sprint(c.Managers())) })
		}
		maps := api.Client().CoreV1().ConfigMaps("default")
		by := func(manager string, change func(*corev1.ConfigMap)) {
			t.Helper()
			object, err := maps.Get(t.Context(), "settings", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			change(object)
			if _, err := maps.Update(t.Context(), object, metav1.UpdateOptions{FieldManager: manager}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		expect := func(what string, want ...string) {
			t.Helper()
			synctest.Wait()
			if !slices.Equal(told, want) {
				t.Errorf("%s: %s, want %s", what, told, want)
			}
			told = nil
			time.Sleep(3 * time.Second)
		}
		put := func(key, value string) func(*corev1.ConfigMap) {
			return func(object *corev1.ConfigMap) { object.Data[key] = value }
		}
		store := api.Open(t, "settings", mapstore.Options{FieldManager: "mine"})
		first := changes(store)
		set(t, store, "a", "1")
		expect("the first that a subscriber hears", "[]")
		own := api.Start(t, "own", mapstore.Options{FieldManager: "owner"})
		changes(own)
		set(t, own, "a", "1") // it is created by an apply
		synctest.Wait()       // or both are one Change
		set(t, own, "a", "2")
		expect("its own first writes, within a second", "[]", "[owner]")
		set(t, store, "a", "3")
		expect("the store itself", "[mine]")
		by("web", put("a", "2"))
		expect("another", "[web]")
		by("web", put("b", "2"))
		expect("the same again", "[web]")
		by("web", put("b", "3"))
		by("web", put("b", "4"))
		expect("twice in one second", "[web]", "[web]")
		by("web", put("b", "5"))
		by("ops", func(object *corev1.ConfigMap) { object.Data["b"], object.Data["o"] = "6", "6" })
		by("web", put("b", "7"))
		expect("it cannot be known of the third", "[web]", "[ops]", "[]")
		by("ops", func(object *corev1.ConfigMap) { delete(object.Data, "b") })
		expect("a removal", "[]")

		refused := api.Fail(mapstoretest.Refused(), "list", "watch")
		by("web", put("b", "8"))
		time.Sleep(2 * time.Second)
		by("ops", put("c", "9"))
		refused.End()
		time.Sleep(10 * time.Second)
		expect("two while nobody watched", "[ops web]")

		first.Stop()
		changes(api.Open(t, "settings", mapstore.Options{}))
		expect("of the past", "[]")
		api.ConfigMap("default", "settings").Delete()
		expect("a deletion", "[]")
	})
}
