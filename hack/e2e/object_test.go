package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/unrolled/mapstore/v2/hack/e2e/rig"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

func TestWhatOthersHavePutOnTheMapStays(t *testing.T) {
	s := newSite(t)
	store := s.store(nil)
	created := s.create(&corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Labels:      map[string]string{"team": "a"},
			Annotations: map[string]string{"note": "b"},
			Finalizers:  []string{"example.com/keep"},
		},
		Data:       map[string]string{"theirs": "1"},
		BinaryData: map[string][]byte{"text-in-binary": []byte("plain")},
	})
	s.waitFor(store, created.ResourceVersion)
	s.set(store, "ours", "2")
	got := s.get()
	if got.Labels["team"] != "a" || got.Annotations["note"] != "b" || len(got.Finalizers) != 1 {
		t.Errorf("metadata is now %+v", got.ObjectMeta)
	}
	if got.Data["theirs"] != "1" || got.Data["ours"] != "2" || string(got.BinaryData["text-in-binary"]) != "plain" {
		t.Errorf("entries are now %v and %v", got.Data, got.BinaryData)
	}
	managers := map[string]bool{}
	for _, entry := range got.ManagedFields {
		managers[entry.Manager] = true
	}
	if !managers["mapstore"] || !managers[filepath.Base(os.Args[0])] {
		t.Errorf("field managers are %v, want ours and the creator's", managers)
	}
	s.patch(`{"metadata":{"finalizers":null}}`)
}

// Promise 9: the copy is as old as the last frame, whoever caused it.
func TestStatusDescribesTheCopy(t *testing.T) {
	s := newSite(t)
	store := s.store(nil)
	s.set(store, "k", "12345")
	for n := range 3 {
		before := time.Now()
		object := s.patch(fmt.Sprintf(`{"data":{"n":"%d"}}`, n))
		s.waitFor(store, object.ResourceVersion)
		status := store.Status()
		if !status.Synced || !status.Exists || status.Revision != object.ResourceVersion || status.Bytes != 6 || status.Err != nil {
			t.Errorf("Status = %+v", status)
		}
		if status.LastContact.Before(before) {
			t.Errorf("LastContact is %v before the last frame", before.Sub(status.LastContact))
		}
	}
	if err := errors.Join(store.Check(nil), store.Verify(s.within())); err != nil {
		t.Errorf("Check and Verify as an administrator: %v", err)
	}
	if store.NeedLeaderElection() {
		t.Error("the store wants to run on the leader only")
	}
}

// Promise 11: what can be known without the server is said without it.
func TestBadArgumentsAreFoundLocally(t *testing.T) {
	s, network := newSite(t), &rig.Network{}
	client := s.client(s.plane.Config(), network)
	store := s.storeOf(client, mapstore.Options{})
	made := func(namespace, name string, opts mapstore.Options) error {
		return errorOf(mapstore.New(client, namespace, name, opts))
	}
	manyKeys := func(tx *mapstore.Tx) error {
		for i := range 200_000 {
			tx.Set(fmt.Sprintf("k%06d", i), "")
		}
		return nil
	}
	for name, row := range map[string]struct{ err, want error }{
		"an empty namespace":    {made("", "m", mapstore.Options{}), mapstore.ErrInvalidName},
		"an empty name":         {made("ns", "", mapstore.Options{}), mapstore.ErrInvalidName},
		"capitals":              {made("ns", "Name", mapstore.Options{}), mapstore.ErrInvalidName},
		"a path":                {made("ns", "../x", mapstore.Options{}), mapstore.ErrInvalidName},
		"254 characters":        {made("ns", strings.Repeat("n", 254), mapstore.Options{}), mapstore.ErrInvalidName},
		"a nil client":          {errorOf(mapstore.New(nil, "ns", "m", mapstore.Options{})), mapstore.ErrInvalidArgument},
		"a negative duration":   {made("ns", "m", mapstore.Options{MaxBackoff: -1}), mapstore.ErrInvalidArgument},
		"a bad field manager":   {made("ns", "m", mapstore.Options{FieldManager: "a\nb"}), mapstore.ErrInvalidArgument},
		"an invalid key to set": {store.Set(s.within(), "a/b", "v"), mapstore.ErrInvalidKey},
		"one to delete":         {store.Delete(s.within(), "a/b"), mapstore.ErrInvalidKey},
		"a value too large":     {store.Set(s.within(), "big", strings.Repeat("\xff", 1<<20+1)), mapstore.ErrTooLarge},
		"200,000 empty keys":    {errorOf(store.Update(s.within(), manyKeys)), mapstore.ErrTooLarge},
		"a nil function":        {errorOf(store.Update(s.within(), nil)), mapstore.ErrInvalidArgument},
		"a nil condition":       {errorOf(store.WaitUntil(s.within(), nil)), mapstore.ErrInvalidArgument},
		"a revision of letters": {errorOf(store.WaitFor(s.within(), "not-a-revision")), mapstore.ErrInvalidArgument},
		"a second Start":        {store.Start(s.within()), mapstore.ErrInvalidArgument},
	} {
		if !errors.Is(row.err, row.want) {
			t.Errorf("%s: %.200v, want %v", name, row.err, row.want)
		}
	}
	if n := network.Writes.Load(); n > 0 || store.Snapshot().Exists() {
		t.Errorf("%d requests to write were sent", n)
	}
}

// Promise 11. The second limit is etcd's, on the stored object with its keys. What
// the store lets through, the server must take, and what the server would take, the
// store should let through.
func TestWhatPassesTheLocalLimitFitsIntoEtcd(t *testing.T) {
	s := newSite(t)
	store := s.store(nil)
	s.set(store, "big", strings.Repeat("v", 1<<20-3))
	s.set(store, "rest", "\xff\xfe\xfd")
	if got := store.Status().Bytes; got != 1<<20 {
		t.Errorf("Status().Bytes = %d", got)
	}
	if err := store.Set(s.within(), "more", "v"); !errors.Is(err, mapstore.ErrTooLarge) {
		t.Errorf("one byte more: %v", err)
	}
	fill := func(keys int) error {
		return errorOf(store.Update(s.within(), func(tx *mapstore.Tx) error {
			for i := range keys {
				tx.Set(fmt.Sprintf("%0253d", i), "")
			}
			return nil
		}))
	}
	fits, tooMany := 1000, 3000
	for tooMany-fits > 8 {
		middle := (fits + tooMany) / 2
		switch err := fill(middle); {
		case err == nil:
			fits = middle
		case errors.Is(err, mapstore.ErrTooLarge) && !isStatus(err):
			tooMany = middle
		default:
			t.Fatalf("%d keys: %v", middle, err)
		}
	}
	stored := s.get()
	stored.ManagedFields = nil
	t.Logf("%d keys and %d bytes fit", len(stored.Data), stored.Size())
	if len(stored.Data)+len(stored.BinaryData) != fits+2 {
		t.Errorf("%d keys are stored, want %d", len(stored.Data), fits+1)
	}
	if size := stored.Size(); size < 3<<19-8<<10 {
		t.Errorf("only %d bytes of 1.5 MiB can be used", size)
	}
}

func isStatus(err error) bool {
	var status interface{ Status() metav1.Status }
	return errors.As(err, &status)
}

// What the server says of an object that is over a limit of its own, lower than
// usual, is passed on. Conformance shows that these are etcd's words.
func TestAServersOwnLimitIsErrTooLarge(t *testing.T) {
	s, network := newSite(t), &rig.Network{}
	store := s.store(network)
	s.set(store, "k", "v")
	etcds := func(request *http.Request, response *http.Response) (*http.Response, error) {
		response, err := rig.Instead(http.StatusInternalServerError, false)(request, response)
		response.Header.Set("Content-Type", "application/json")
		response.Body = io.NopCloser(strings.NewReader(`{"kind":"Status","apiVersion":"v1","status":"Failure","code":500,"message":"etcdserver: request is too large"}`))
		return response, err
	}
	for _, answer := range []rig.Exchange{rig.Instead(http.StatusRequestEntityTooLarge, false), etcds} {
		network.OnAnswer(rig.Once(answer))
		err := store.Set(s.within(), "k", "w")
		if !errors.Is(err, mapstore.ErrTooLarge) || !isStatus(err) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Set: %v, want ErrTooLarge and what the server said", err)
		}
	}
}

func TestANamespaceThatDoesNotExist(t *testing.T) {
	s := newSite(t)
	s.namespace = "nowhere"
	if err := s.store(nil).Set(s.within(), "k", "v"); !apierrors.IsNotFound(err) {
		t.Errorf("Set: %v", err)
	}
}
