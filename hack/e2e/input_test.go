package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/unrolled/mapstore/v2/hack/kube"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// Promise 11.
func TestBadInputIsFoundLocallyAndChangesNothing(t *testing.T) {
	s := newSite(t)
	net := &network{}
	store := s.store(net.through)
	s.set(store, "k", "v")
	before := s.get()
	puts, others := net.puts.Load(), net.others.Load()

	manyKeys := func(tx *mapstore.Tx) error {
		for i := range 200_000 {
			tx.Set(fmt.Sprintf("k%06d", i), "")
		}
		return nil
	}
	update := func(fn func(*mapstore.Tx) error) error {
		_, err := store.Update(t.Context(), fn)
		return err
	}
	set := func(key, value string) error { return store.Set(t.Context(), key, value) }
	for name, row := range map[string]struct {
		err  error
		want error
	}{
		"an empty key":              {set("", "v"), mapstore.ErrInvalidKey},
		"the key .":                 {set(".", "v"), mapstore.ErrInvalidKey},
		"a key that begins with ..": {set("..x", "v"), mapstore.ErrInvalidKey},
		"a key of 254 characters":   {set(strings.Repeat("k", 254), "v"), mapstore.ErrInvalidKey},
		"a slash":                   {set("a/b", "v"), mapstore.ErrInvalidKey},
		"a newline":                 {set("a\n", "v"), mapstore.ErrInvalidKey},
		"a letter beyond ASCII":     {set("schlüssel", "v"), mapstore.ErrInvalidKey},
		"an invalid key to delete":  {store.Delete(t.Context(), "a/b"), mapstore.ErrInvalidKey},
		"an invalid key in Update":  {update(func(tx *mapstore.Tx) error { tx.Set("ok", "1"); tx.Set("a b", "1"); return nil }), mapstore.ErrInvalidKey},
		"a byte too much":           {set("big", strings.Repeat("v", 1<<20+1)), mapstore.ErrTooLarge},
		"a byte too much in all":    {set("big", strings.Repeat("v", 1<<20)), mapstore.ErrTooLarge},
		"a binary byte too much":    {set("big", strings.Repeat("\xff", 1<<20)), mapstore.ErrTooLarge},
		"200,000 empty keys":        {update(manyKeys), mapstore.ErrTooLarge},
		"a nil function":            {update(nil), mapstore.ErrInvalidArgument},
		"a nil condition":           {func() error { _, err := store.WaitUntil(t.Context(), nil); return err }(), mapstore.ErrInvalidArgument},
		"a second Start":            {store.Start(t.Context()), mapstore.ErrInvalidArgument},
	} {
		if !errors.Is(row.err, row.want) {
			t.Errorf("%s: %.200v, want %v", name, row.err, row.want)
		}
	}
	if net.puts.Load() != puts || net.others.Load() != others {
		t.Error("something was sent")
	}
	if after := s.get(); after.ResourceVersion != before.ResourceVersion {
		t.Error("the map has changed")
	}
	if store.Snapshot().Len() != 1 {
		t.Errorf("the copy is %v", store.Snapshot().Keys())
	}
}

func TestExactlyAsMuchAsFits(t *testing.T) {
	s := newSite(t)
	store := s.store()
	s.set(store, "big", strings.Repeat("v", 1<<20-3))
	s.set(store, "rest", "\xff\xfe\xfd")
	if got := store.Status().Bytes; got != 1<<20 {
		t.Errorf("Status().Bytes = %d", got)
	}
	if err := store.Set(t.Context(), "more", "v"); !errors.Is(err, mapstore.ErrTooLarge) {
		t.Errorf("one byte more: %v", err)
	}
	s.set(store, "empty", "")
	s.set(store, "big", "small")
	s.set(store, strings.Repeat("k", 253), "the longest key")
}

// The second limit is etcd's, on the stored object with its keys. What the store
// lets through, the server must take, and what the server would take, the store
// should let through.
func TestWhatPassesTheLocalLimitFitsIntoEtcd(t *testing.T) {
	s := newSite(t)
	store := s.store()
	s.set(store, "big", strings.Repeat("v", 1<<20))
	fill := func(keys int) error {
		_, err := store.Update(within(t, time.Minute), func(tx *mapstore.Tx) error {
			for i := range keys {
				tx.Set(fmt.Sprintf("%0253d", i), "")
			}
			return nil
		})
		return err
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
	if len(stored.Data) != fits+1 {
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

func TestAMapThatOthersMadeTooLargeCanStillShrink(t *testing.T) {
	s := newSite(t)
	store := s.store()
	data := map[string]string{}
	for i := range 30_000 {
		data[fmt.Sprintf("%020d", i)] = ""
	}
	created := s.createMap(&corev1.ConfigMap{Data: data})
	s.waitForRevision(store, created.ResourceVersion)
	t.Logf("%d bytes", created.Size())
	if err := store.Delete(t.Context(), fmt.Sprintf("%020d", 0)); err != nil {
		t.Errorf("Delete: %v", err)
	}
}

func TestBadNamesAndOptions(t *testing.T) {
	client := clientFor(t, plane.Config())
	for name, row := range map[string]struct {
		make func() (*mapstore.Store, error)
		want error
	}{
		"an empty namespace": {func() (*mapstore.Store, error) { return mapstore.New(client, "", "m", mapstore.Options{}) }, mapstore.ErrInvalidName},
		"an empty name":      {func() (*mapstore.Store, error) { return mapstore.New(client, "ns", "", mapstore.Options{}) }, mapstore.ErrInvalidName},
		"capitals":           {func() (*mapstore.Store, error) { return mapstore.New(client, "ns", "Name", mapstore.Options{}) }, mapstore.ErrInvalidName},
		"a path":             {func() (*mapstore.Store, error) { return mapstore.New(client, "ns", "../x", mapstore.Options{}) }, mapstore.ErrInvalidName},
		"254 characters": {func() (*mapstore.Store, error) {
			return mapstore.New(client, "ns", strings.Repeat("n", 254), mapstore.Options{})
		}, mapstore.ErrInvalidName},
		"a nil client": {func() (*mapstore.Store, error) { return mapstore.New(nil, "ns", "m", mapstore.Options{}) }, mapstore.ErrInvalidArgument},
		"a negative duration": {func() (*mapstore.Store, error) {
			return mapstore.New(client, "ns", "m", mapstore.Options{MaxBackoff: -1})
		}, mapstore.ErrInvalidArgument},
		"a bad field manager": {func() (*mapstore.Store, error) {
			return mapstore.New(client, "ns", "m", mapstore.Options{FieldManager: "a\nb"})
		}, mapstore.ErrInvalidArgument},
	} {
		store, err := row.make()
		if store != nil || !errors.Is(err, row.want) {
			t.Errorf("%s: %v, want %v", name, err, row.want)
		}
	}
}

// An etcd whose limit is lower than usual says so, and the store passes it on.
func TestEtcdsOwnWordIsErrTooLarge(t *testing.T) {
	t.Parallel()
	plane, err := kube.Start(t.Context(), kube.Options{EtcdArgs: []string{"--max-request-bytes=300000"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := plane.Stop(); err != nil {
			t.Error(err)
		}
	})
	s := newSiteOn(t, plane)
	store := s.store()
	s.set(store, "k", "v")
	before := s.get()
	for _, size := range []int{400_000, 1<<20 - 1} {
		if err := store.Set(t.Context(), "big", strings.Repeat("v", size)); !errors.Is(err, mapstore.ErrTooLarge) || !isStatus(err) {
			t.Errorf("Set of %d bytes: %.300v, want ErrTooLarge and what the server said", size, err)
		}
	}
	if s.get().ResourceVersion != before.ResourceVersion {
		t.Error("the map has changed")
	}
}

// So does a proxy, or a server that limits the size of requests.
func TestAServersOwnLimitIsErrTooLarge(t *testing.T) {
	s := newSite(t)
	net := &network{}
	store := s.store(net.through)
	s.set(store, "k", "v")
	net.onAnswer(func(request *http.Request, response *http.Response) (*http.Response, error) {
		if request.Method == http.MethodPut {
			drain(response)
			response.StatusCode, response.Body = http.StatusRequestEntityTooLarge, http.NoBody
		}
		return response, nil
	})
	if err := store.Set(t.Context(), "k", "w"); !errors.Is(err, mapstore.ErrTooLarge) || !isStatus(err) {
		t.Errorf("Set: %v, want ErrTooLarge and what the server said", err)
	}
}
