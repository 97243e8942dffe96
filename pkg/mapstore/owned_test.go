package mapstore_test

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	applycorev1 "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
)

const ledgerName = "mapstore/commits"

// A map that the store creates belongs to whom Options say, each time.
func TestWhatTheStoreCreatesHasItsMetadata(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		settings := api.ConfigMap("default", "settings")
		yes := true
		metadata := mapstore.Metadata{
			Labels:          map[string]string{"app": "web"},
			Annotations:     map[string]string{"team": "a"},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "Deployment", Name: "web", UID: "1", Controller: &yes}},
		}
		store := api.Open(t, "settings", mapstore.Options{Metadata: metadata})
		metadata.Labels["app"] = "changed by the caller later"
		for range 2 {
			set(t, store, "k", "v")
			now := settings.Get()
			if now.Labels["app"] != "web" || now.Annotations["team"] != "a" || len(now.OwnerReferences) != 1 || now.OwnerReferences[0].UID != "1" || !*now.OwnerReferences[0].Controller {
				t.Errorf("%v", now.ObjectMeta)
			}
			settings.Delete()
			synctest.Wait()
		}
		settings.Put(map[string]string{"k": "v"})
		synctest.Wait()
		set(t, store, "k", "w")
		if now := settings.Get(); len(now.Labels)+len(now.OwnerReferences) != 0 {
			t.Errorf("what somebody else has created: %v", now.ObjectMeta)
		}
	})
}

// A transaction that has nothing to write creates no map, and is as sure of what it has seen as
// one that writes: the server confirms that there is no map, or it runs again on the one that
// has come.
func TestWhoWritesNothingCreatesNothing(t *testing.T) {
	for name, row := range map[string]struct {
		fault func(api *mapstoretest.API) // begins in the first run
		runs  []bool                      // whether the map was there, in each run
		is    func(error) bool
	}{
		"no map": {func(*mapstoretest.API) {}, []bool{false}, nil},
		"a map that comes meanwhile": {func(api *mapstoretest.API) {
			api.ConfigMap("default", "settings").Put(map[string]string{"k": "v"})
		}, []bool{false, true}, nil},
		"an outage": {func(api *mapstoretest.API) {
			time.AfterFunc(5*time.Second, api.Fail(mapstoretest.Refused(), "get", "list").End)
		}, nil, nil},
		"no right to read": {func(api *mapstoretest.API) { api.Fail(mapstoretest.Forbidden(), "get", "list") }, nil, apierrors.IsForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := mapstoretest.NewAPI(t)
				store := api.Open(t, "settings", mapstore.Options{})
				var runs []bool
				began := time.Now()
				now, err := store.Update(t.Context(), func(tx *mapstore.Tx) error {
					_, ok := tx.Get("k")
					if runs = append(runs, ok); len(runs) == 1 {
						row.fault(api)
					}
					tx.Delete("none")
					return nil
				})
				if row.is != nil {
					if took := time.Since(began); !row.is(err) || errors.Is(err, mapstore.ErrUnknownOutcome) || took > 10*time.Second {
						t.Errorf("%v after %v", err, took)
					}
				} else if err != nil || now.Exists() != runs[len(runs)-1] {
					t.Errorf("%v, %v after the runs %v", now, err, runs)
				}
				if row.runs != nil && !slices.Equal(runs, row.runs) {
					t.Errorf("the map was there in the runs %v, want %v", runs, row.runs)
				}
				if _, wrote := values(api)["k"]; wrote != slices.Contains(row.runs, true) || api.ConfigMap("default", "settings").Get() != nil != wrote {
					t.Error("a map was created")
				}
			})
		})
	}
}

func TestMetadataThatKubernetesWouldRefuseIsAnError(t *testing.T) {
	full := strings.Repeat("x", apivalidation.TotalAnnotationSizeLimitB-len("a")-len(ledgerName)-11)
	for name, bad := range map[string]mapstore.Metadata{
		"a label's name":         {Labels: map[string]string{"no name": ""}},
		"a label's value":        {Labels: map[string]string{"a": "no value!"}},
		"an annotation's name":   {Annotations: map[string]string{"no name": ""}},
		"annotations that fill":  {Annotations: map[string]string{"a": full}},
		"the store's annotation": {Annotations: map[string]string{ledgerName: "x"}},
		"an owner without a UID": {OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "Pod", Name: "a"}}},
	} {
		if _, err := mapstore.New(mapstoretest.NewAPI(t).Client(), "default", "settings", mapstore.Options{Metadata: bad}); !errors.Is(err, mapstore.ErrInvalidArgument) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Annotations may have 256 KiB together. The ledger makes do with what others leave.
func TestTheLedgerFitsBesideOtherAnnotations(t *testing.T) {
	t.Parallel()
	const most = apivalidation.TotalAnnotationSizeLimitB - len("a") - len(ledgerName)
	for name, row := range map[string]struct{ left, ids int }{
		"room for all":             {32*13 - 1, 32},
		"one byte too few for all": {32*13 - 2, 31},
		"room for two":             {25, 2},
		"room for one":             {12, 1},
		"no room":                  {11, 0},
		"none at all":              {-len(ledgerName), 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api, store := started(t)
				settings := api.ConfigMap("default", "settings")
				settings.Edit(func(object *corev1.ConfigMap) {
					object.Annotations = map[string]string{"a": strings.Repeat("x", most-row.left)}
				})
				synctest.Wait()
				before := values(api)
				for range row.ids + 1 { // one more than fit
					_, err := store.Update(t.Context(), increment)
					if (err == nil) != (row.ids > 0) || err != nil && !errors.Is(err, mapstore.ErrTooLarge) {
						t.Fatal(err)
					}
				}
				if row.ids == 0 {
					if !maps.Equal(values(api), before) {
						t.Error("something was written")
					}
					return
				}
				if ids := strings.Fields(settings.Get().Annotations[ledgerName]); len(ids) != row.ids {
					t.Errorf("%d ids, want %d", len(ids), row.ids)
				}
				// Fewer ids still tell what became of a lost answer.
				lost := api.FailNext(3, mapstoretest.LostAnswer(), "update")
				for range 3 {
					add(t, store)
				}
				if n := values(api)["n"]; n != strconv.Itoa(row.ids+4) || lost.Met() != 3 {
					t.Errorf("n = %s after %d increments, of which %d lost their answers", n, row.ids+4, lost.Met())
				}
			})
		})
	}
}

// docs/gitops.md: keys that are in Git win and come back, others stay.
func TestAToolThatAppliesTheMapAgainAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		maps := api.Client().CoreV1().ConfigMaps("default")
		inGit := func(force bool, data map[string]string) error {
			_, err := maps.Apply(t.Context(), applycorev1.ConfigMap("settings", "default").WithData(data),
				metav1.ApplyOptions{FieldManager: "git", Force: force})
			return err
		}
		apply := func(data map[string]string) {
			t.Helper()
			if err := inGit(true, data); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		manifest := map[string]string{"changed": "git", "deleted": "git", "let-go": "git", "let-go-changed": "git"}
		apply(manifest)

		store := api.Open(t, "settings", mapstore.Options{})
		set(t, store, "changed", "store")
		set(t, store, "own", "store")
		if err := store.Delete(t.Context(), "deleted"); err != nil {
			t.Fatal(err)
		}
		if err := inGit(false, manifest); !apierrors.IsConflict(err) {
			t.Errorf("an apply without force: %v", err)
		}
		apply(manifest)
		for key, want := range map[string]string{"changed": "git", "deleted": "git", "own": "store", "let-go": "git"} {
			if got, _ := store.Get(key); got != want {
				t.Errorf("%s = %q, want %q", key, got, want)
			}
		}
		set(t, store, "let-go-changed", "store")
		delete(manifest, "let-go")
		delete(manifest, "let-go-changed")
		apply(manifest)
		if _, there := store.Get("let-go"); there {
			t.Error("what Git has let go is still there")
		}
		if got, _ := store.Get("let-go-changed"); got != "store" {
			t.Errorf("what a store has changed since = %q", got)
		}
		if ids := strings.Fields(api.ConfigMap("default", "settings").Get().Annotations[ledgerName]); len(ids) != 4 {
			t.Errorf("%d ids in the ledger after 4 commits", len(ids))
		}
	})
}
