package mapstore_test

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr/funcr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
	"github.com/unrolled/mapstore/v2/pkg/typed"
)

// A house is an API server and a file that survive the stores that use them.
type house struct {
	*testing.T
	api      *mapstoretest.API
	settings *mapstoretest.ConfigMap
	opts     mapstore.Options
	mu       sync.Mutex // protects logged while stores run
	logged   []string
}

// inHouse runs a test in a bubble, with a map unless it is nil, and a file that has none yet.
func inHouse(t *testing.T, data map[string]string, test func(*testing.T, *house)) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "settings") // outside: the bubble ends before it is removed
	synctest.Test(t, func(t *testing.T) {
		h := &house{T: t, api: mapstoretest.NewAPI(t)}
		h.settings = h.api.ConfigMap("default", "settings")
		if data != nil {
			h.settings.Put(data)
		}
		h.opts.Backup = file
		h.opts.Logger = funcr.New(func(_, args string) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.logged = append(h.logged, args)
		}, funcr.Options{})
		test(t, h)
	})
}

// save has a store write the file, and ends it.
func (h *house) save() {
	h.Helper()
	store := h.api.Open(h.T, "settings", h.opts)
	store.Close()
	if n := store.Stats().BackupFailures; n > 0 {
		h.Fatalf("%d failures to write the backup: %v", n, h.logged)
	}
}

// start starts a store in an outage. It is over when end is called.
func (h *house) start() (store *mapstore.Store, end func()) {
	h.Helper()
	outage := h.api.Fail(mapstoretest.Refused())
	store = h.api.Start(h.T, "settings", h.opts)
	synctest.Wait()
	return store, outage.End
}

func (h *house) file() string {
	h.Helper()
	content, err := os.ReadFile(h.opts.Backup)
	if err != nil {
		h.Fatal(err)
	}
	return string(content)
}

// lines returns how many log lines have the text.
func (h *house) lines(text string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for _, line := range h.logged {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

func contents(r mapstore.Reader) map[string]string { return maps.Collect(r.All()) }

func TestAStoreThatStartsInAnOutageHasItsLastKnownState(t *testing.T) {
	large := strings.Repeat("\xff", 1<<20-9)
	inHouse(t, nil, func(t *testing.T, h *house) {
		h.settings.Edit(func(object *corev1.ConfigMap) {
			object.Data = map[string]string{"port": "8080", "empty": ""}
			object.BinaryData = map[string][]byte{"large": []byte(large), "crlf": []byte("\r\n\x00")}
		})
		want := map[string]string{"port": "8080", "empty": "", "large": large, "crlf": "\r\n\x00"}
		before := time.Now()
		h.save()
		revision := h.settings.Get().ResourceVersion
		time.Sleep(time.Hour)
		store, end := h.start()

		if got := store.Snapshot(); !maps.Equal(contents(got), want) || !got.Exists() || got.Revision() != revision || got.UID() != h.settings.Get().UID {
			t.Errorf("the first version is %v, of uid %s", got, got.UID())
		}
		if _, err := store.WaitUntil(t.Context(), func(now *mapstore.Snapshot) bool { return now.Len() == 4 }); err != nil {
			t.Error(err)
		}
		var changes []mapstore.Change
		store.OnChange(func(change mapstore.Change) { changes = append(changes, change) })
		port := typed.Bind(store, "port", typed.Int[int](), 80)
		defer port.Close()
		derived := typed.Derive(store, func(r mapstore.Reader) (int, error) { return typed.Int[int]().From(r, "port", 80) })
		defer derived.Close()
		synctest.Wait()
		if len(changes) != 1 || len(changes[0].Keys()) != 4 || changes[0].Reset || port.Load() != 8080 || derived.Load() != 8080 {
			t.Errorf("%d changes, port %d, derived %d", len(changes), port.Load(), derived.Load())
		}
		status := store.Status()
		if status.Synced || !status.Restored.Equal(before) {
			t.Errorf("synced %v, restored %v, saved %v", status.Synced, status.Restored, before)
		}
		saved := before.UTC().Format(time.RFC3339)
		if err := store.Check(nil); err == nil || err.Error() != status.Err.Error() || !strings.Contains(err.Error(), "backup of "+saved) || !strings.Contains(err.Error(), "refused") {
			t.Errorf("Check says %v", err)
		}
		if err := store.WaitForSync(within(t, time.Minute)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("WaitForSync: %v", err)
		}
		expectNotApplied(t, store.Set(within(t, time.Minute), "port", "9090"))
		if _, err := store.Sync(t.Context()); err == nil || store.Status().Restored.IsZero() {
			t.Errorf("Sync: %v", err)
		}

		writes := make(chan error)
		go func() { writes <- store.Set(t.Context(), "port", "9090") }()
		synctest.Wait()
		versions := store.Stats().Versions
		end()
		if err := errors.Join(store.WaitForSync(t.Context()), <-writes); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if status := store.Status(); status.Err != nil || !status.Restored.IsZero() || versions != 1 {
			t.Errorf("after the outage: %+v; %d versions before", status, versions)
		}
		if len(changes) != 2 || changes[1].Reset || !slices.Equal(changes[1].Keys(), []string{"port"}) || port.Load() != 9090 || derived.Load() != 9090 {
			t.Errorf("%d changes, port %d, derived %d", len(changes), port.Load(), derived.Load())
		}
		if got := values(h.api); got["port"] != "9090" || got["large"] != large {
			t.Error("the write has lost what it has not written")
		}
	})
}

// What the first answer makes of a backup.
func TestTheFirstAnswerAfterARestoreIsAQuorumRead(t *testing.T) {
	for name, row := range map[string]struct {
		data  map[string]string // when the backup is written
		then  func(*house)      // until the first answer
		keys  []string          // of the Change that it makes; nil: there is none
		reset bool
	}{
		"nothing has happened":    {map[string]string{"k": "v"}, func(*house) {}, nil, false},
		"somebody has written":    {map[string]string{"k": "v"}, func(h *house) { h.settings.Set("k", "w") }, []string{"k"}, false},
		"metadata only":           {map[string]string{"k": "v"}, func(h *house) { h.settings.Edit(func(o *corev1.ConfigMap) { o.Labels = map[string]string{"l": "v"} }) }, nil, false},
		"it was deleted":          {map[string]string{"k": "v"}, func(h *house) { h.settings.Delete() }, []string{"k"}, false},
		"it was recreated":        {map[string]string{"k": "v"}, func(h *house) { h.settings.Delete(); h.settings.Put(map[string]string{"k": "w"}) }, []string{"k"}, true},
		"it was recreated as was": {map[string]string{"k": "v"}, func(h *house) { h.settings.Delete(); h.settings.Put(map[string]string{"k": "v"}) }, nil, true},
		"it never was":            {nil, func(*house) {}, nil, false},
		"it was created":          {nil, func(h *house) { h.settings.Set("k", "v") }, []string{"k"}, false},
		"the server went back": {map[string]string{"k": "v"}, func(h *house) {
			h.api.Rewind("2") // where k was the first time
		}, []string{"k"}, true},
		"the server went back and on": {map[string]string{"k": "v"}, func(h *house) {
			h.api.Rewind("2")
			h.settings.Set("k", "x") // takes the revision of the backup
		}, []string{"k"}, true},
		"the server went back to before the map": {map[string]string{"k": "v"}, func(h *house) { h.api.Rewind("1") }, []string{"k"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			inHouse(t, nil, func(t *testing.T, h *house) {
				if row.data != nil {
					h.settings.Put(map[string]string{"k": "first"})
					h.settings.Put(row.data)
				}
				h.save()
				row.then(h)
				store, end := h.start()
				var changes []mapstore.Change
				store.OnChange(func(change mapstore.Change) { changes = append(changes, change) })
				synctest.Wait()
				if want := min(len(row.data), 1); len(changes) != want {
					t.Fatalf("%d changes from the backup, want %d", len(changes), want)
				}
				changes = nil
				end()
				if err := store.WaitForSync(t.Context()); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				switch {
				case row.keys == nil && !row.reset:
					if len(changes) > 0 {
						t.Errorf("a change of %v", changes[0].Keys())
					}
				case len(changes) != 1 || !slices.Equal(changes[0].Keys(), row.keys) || changes[0].Reset != row.reset:
					t.Errorf("%d changes: %v", len(changes), changes)
				}
				want := map[string]string{}
				if store.Snapshot().Exists() {
					want = values(h.api)
				}
				if got := contents(store.Snapshot()); !maps.Equal(got, want) || !store.Status().Restored.IsZero() {
					t.Errorf("%v, want %v", got, want)
				}
				add(t, store)
				if n := values(h.api)["n"]; n != "1" {
					t.Errorf("n = %s after one increment", n)
				}
			})
		})
	}
}

// The file has the values alone. What else the object has, and where each value lies, must
// not get lost by a write that comes first after the outage.
func TestAWriteIsNeverComputedFromABackup(t *testing.T) {
	inHouse(t, nil, func(t *testing.T, h *house) {
		h.settings.Edit(func(object *corev1.ConfigMap) {
			object.Labels, object.Annotations = map[string]string{"l": "v"}, map[string]string{"a": "v"}
			object.Finalizers = []string{"example.com/f"}
			object.Data, object.BinaryData = map[string]string{"n": "7"}, map[string][]byte{"text": []byte("v")}
		})
		h.save()
		store, end := h.start()
		done := make(chan *mapstore.Snapshot)
		go func() { done <- add(t, store) }()
		synctest.Wait()
		h.settings.Set("n", "41") // no store's, while the API server cannot be reached from the store
		end()
		if n, _ := (<-done).Get("n"); n != "42" {
			t.Errorf("n = %s", n)
		}
		object := h.settings.Get()
		if object.Labels["l"] != "v" || object.Annotations["a"] != "v" || len(object.Finalizers) != 1 || string(object.BinaryData["text"]) != "v" {
			t.Errorf("the write has made of the object %v", object)
		}
	})
}

func TestABackupThatIsNoGoodIsNotUsed(t *testing.T) {
	for name, spoil := range map[string]func(*house){
		"missing":             func(h *house) { os.Remove(h.opts.Backup) },
		"empty":               func(h *house) { h.overwrite("") },
		"truncated":           func(h *house) { h.overwrite(h.file()[:len(h.file())-1]) },
		"damaged":             func(h *house) { h.overwrite(strings.Replace(h.file(), "v-of-k", "x-of-k", 1)) },
		"too old":             func(h *house) { h.opts.BackupMaxAge = time.Hour; time.Sleep(time.Hour + time.Second) },
		"of another map":      func(h *house) { h.ofAnother("default", "other") },
		"of another place":    func(h *house) { h.ofAnother("elsewhere", "settings") },
		"a folder":            func(h *house) { os.Remove(h.opts.Backup); _ = os.Mkdir(h.opts.Backup, 0o700) },
		"something else":      func(h *house) { h.overwrite(`{"data": {"k": "v-of-k"}}`) },
		"in a missing folder": func(h *house) { h.opts.Backup += "/none/settings" },
	} {
		t.Run(name, func(t *testing.T) {
			inHouse(t, map[string]string{"k": "v-of-k"}, func(t *testing.T, h *house) {
				h.save()
				h.logged = nil
				spoil(h)
				store, end := h.start()
				status := store.Status()
				if store.Snapshot().Len() > 0 || store.Snapshot().Sequence() > 0 || !status.Restored.IsZero() || strings.Contains(status.Err.Error(), "backup") {
					t.Errorf("%v is served: %v", store.Snapshot(), status.Err)
				}
				if n := h.lines("The backup is not used"); n != 1 || h.lines("v-of-k") > 0 {
					t.Errorf("%d lines say so: %v", n, h.logged)
				}
				end()
				if err := store.WaitForSync(t.Context()); err != nil {
					t.Error(err)
				}
				write(t, store, "k")
			})
		})
	}
}

func (h *house) overwrite(content string) {
	h.Helper()
	if err := os.WriteFile(h.opts.Backup, []byte(content), 0o600); err != nil {
		h.Fatal(err)
	}
}

func (h *house) ofAnother(namespace, name string) {
	h.Helper()
	opts := h.opts
	opts.Namespace = namespace
	h.api.Open(h.T, name, opts).Close()
	h.logged = nil
}

func TestABackupIsWrittenAboutOnceASecondAndAtTheEnd(t *testing.T) {
	inHouse(t, map[string]string{"k": "v"}, func(t *testing.T, h *house) {
		store := h.api.Open(t, "settings", h.opts)
		synctest.Wait()
		for range 100 { // in ten seconds
			write(t, store, "k")
			time.Sleep(100 * time.Millisecond)
		}
		synctest.Wait()
		if n := store.Stats().Backups; n < 10 || n > 11 {
			t.Errorf("%d backups in ten seconds of changes", n)
		}
		time.Sleep(time.Hour)
		n := store.Stats().Backups
		if n > 12 {
			t.Errorf("%d backups, in an hour without changes too", n)
		}
		set(t, store, "k", "last")
		store.Close()
		if stats := store.Stats(); stats.Backups > n+2 || stats.BackupFailures > 0 {
			t.Errorf("%d backups and %d failures at the end", stats.Backups-n, stats.BackupFailures)
		}
		again, end := h.start()
		defer end()
		if got, _ := again.Get("k"); got != "last" {
			t.Errorf("k = %q", got)
		}
	})
}

// The age of a backup is how long ago its contents were known to be current, and not when
// they were written by a store that had not heard of the server for hours.
func TestABackupIsAsOldAsTheStateInIt(t *testing.T) {
	restored := func(h *house) time.Time {
		store, end := h.start()
		defer end()
		return store.Status().Restored
	}
	inHouse(t, map[string]string{"k": "v"}, func(t *testing.T, h *house) {
		store := h.api.Open(t, "settings", h.opts)
		time.Sleep(time.Hour)
		ended := time.Now()
		store.Close()
		if got := restored(h); !got.Equal(ended) {
			t.Errorf("a quiet map: %v before the end", ended.Sub(got))
		}
		store = h.api.Open(t, "settings", h.opts)
		began := time.Now()
		outage := h.api.Fail(mapstoretest.Refused())
		time.Sleep(3 * time.Hour)
		store.Close()
		outage.End()
		if got := restored(h); got.After(began) {
			t.Errorf("a store that ends in an outage: %v after the outage began", got.Sub(began))
		}
		before := h.file()
		store, end := h.start() // and ends without an answer
		time.Sleep(time.Hour)
		store.Close()
		end()
		if h.file() != before {
			t.Error("a backup was written from a backup")
		}
	})
}

func TestABackupWithALimitOfAgeIsRenewed(t *testing.T) {
	inHouse(t, map[string]string{"k": "v"}, func(t *testing.T, h *house) {
		h.opts.BackupMaxAge = time.Hour
		h.api.Open(t, "settings", h.opts) // it never ends, as one that is killed
		time.Sleep(72*time.Hour + 29*time.Minute)
		if n := h.lines("backup"); n != 1 {
			t.Errorf("%v", h.logged)
		}
		store, end := h.start()
		defer end()
		if age := time.Since(store.Status().Restored); store.Snapshot().Len() != 1 || age > 30*time.Minute {
			t.Errorf("%v is restored, of an age of %v", store.Snapshot(), age)
		}
	})
}

func TestADiskThatFailsHasNoOtherEffectThanALineAndACount(t *testing.T) {
	inHouse(t, map[string]string{"k": "v"}, func(t *testing.T, h *house) {
		folder := filepath.Join(filepath.Dir(h.opts.Backup), "mounted-late")
		h.opts.Backup = filepath.Join(folder, "settings")
		store := h.api.Open(t, "settings", h.opts)
		const failed = "Cannot write the backup"
		for range 100 {
			write(t, store, "k")
			time.Sleep(10 * time.Second)
		}
		stats := store.Stats()
		if h.lines(failed) != 1 || stats.BackupFailures < 2 || stats.BackupFailures > 30 || stats.Backups > 0 || store.Status().Err != nil {
			t.Errorf("%+v, %v, %v", stats, store.Status().Err, h.logged)
		}
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		if n := store.Stats().Backups; n != 1 {
			t.Errorf("%d backups once the disk is there", n)
		}
		if err := os.RemoveAll(folder); err != nil {
			t.Fatal(err)
		}
		write(t, store, "k")
		synctest.Wait()
		if n := h.lines(failed); n != 2 {
			t.Errorf("%d lines after two outages of the disk", n)
		}
		before := store.Stats().BackupFailures
		store.Close()
		if n := store.Stats().BackupFailures; n != before+1 || h.lines(failed) != 2 {
			t.Errorf("%d failures at the end, %v", n-before, h.logged)
		}
	})
}

func TestTwoStoresMayHaveOneFile(t *testing.T) {
	inHouse(t, map[string]string{"k": "v"}, func(t *testing.T, h *house) {
		a, b := h.api.Open(t, "settings", h.opts), h.api.Open(t, "settings", h.opts)
		for range 20 {
			write(t, a, "k")
			write(t, b, "l")
			time.Sleep(300 * time.Millisecond)
		}
		time.Sleep(2 * time.Second)
		for _, store := range []*mapstore.Store{a, b} {
			if stats := store.Stats(); stats.Backups == 0 || stats.BackupFailures > 0 {
				t.Errorf("%d backups, %d failures", stats.Backups, stats.BackupFailures)
			}
		}
		store, end := h.start()
		if got := contents(store.Snapshot()); !maps.Equal(got, values(h.api)) {
			t.Errorf("restored %v, and the map is %v", got, values(h.api))
		}
		end()
	})
}

// Which answers of the server Open takes for an outage. It waits two seconds for better.
func TestOpenStartsFromABackupOnlyIfTheServerCannotBeReached(t *testing.T) {
	answer := func(code int) mapstoretest.Fault {
		return mapstoretest.Answer(apierrors.NewGenericServerResponse(code, "list", corev1.Resource("configmaps"), "settings", "on purpose", 0, true))
	}
	for name, row := range map[string]struct {
		fault mapstoretest.Fault
		opens bool
	}{
		"refused":           {mapstoretest.Refused(), true},
		"broken":            {mapstoretest.LostRequest(), true},
		"no answer":         {mapstoretest.Hang(), true},
		"a slow answer":     {mapstoretest.Slow(time.Minute), true},
		"500":               {answer(500), true},
		"503":               {answer(503), true},
		"504":               {answer(504), true},
		"too many requests": {mapstoretest.Answer(apierrors.NewTooManyRequests("busy", 1)), true},
		"401":               {answer(401), false},
		"403":               {answer(403), false},
		"forbidden":         {mapstoretest.Forbidden(), false},
		"404":               {answer(404), false},
		"400":               {answer(400), false},
	} {
		t.Run(name, func(t *testing.T) {
			inHouse(t, map[string]string{"k": "v"}, func(t *testing.T, h *house) {
				h.save()
				h.api.Fail(row.fault)
				store := h.api.Start(t, "settings", h.opts)
				began := time.Now()
				err := store.AwaitOpen(within(t, 10*time.Second))
				took := time.Since(began)
				if row.opens && (err != nil || took < 2*time.Second || took > 4*time.Second || store.Status().Restored.IsZero()) || !row.opens && err == nil {
					t.Errorf("%v after %v", err, took)
				}
			})
		})
	}
}

func TestOpenWithABackupWaitsForNothingElse(t *testing.T) {
	inHouse(t, map[string]string{"k": "v"}, func(t *testing.T, h *house) {
		began := time.Now()
		store := h.api.Start(t, "settings", h.opts) // has no backup yet
		if err := store.AwaitOpen(t.Context()); err != nil || time.Since(began) > 0 {
			t.Errorf("%v after %v, of a server that answers", err, time.Since(began))
		}
		store.Close()
		if err := store.AwaitOpen(t.Context()); !errors.Is(err, mapstore.ErrClosed) {
			t.Errorf("%v of a closed store", err)
		}
		store, end := h.start()
		defer end()
		if err := store.AwaitOpen(within(t, time.Second)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v of a ctx that ends before the two seconds", err)
		}
		os.Remove(h.opts.Backup)
		store = h.api.Start(t, "settings", h.opts)
		began = time.Now()
		if err := store.AwaitOpen(within(t, time.Minute)); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) < time.Minute {
			t.Errorf("%v after %v, without a backup", err, time.Since(began))
		}
		store = h.api.Start(t, "settings", mapstore.Options{})
		go func() { time.Sleep(time.Minute); end() }()
		if err := store.AwaitOpen(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestABackupOfNoMapIsNoMap(t *testing.T) {
	inHouse(t, map[string]string{"k": "v"}, func(t *testing.T, h *house) {
		uid := h.settings.Get().UID
		store := h.api.Open(t, "settings", h.opts)
		h.settings.Delete()
		synctest.Wait()
		store.Close()
		store, end := h.start()
		if now := store.Snapshot(); now.Exists() || now.Len() > 0 || now.UID() != uid || store.Status().Restored.IsZero() {
			t.Errorf("%v of uid %s, restored %v", now, now.UID(), store.Status().Restored)
		}
		h.opts.MustExist = true
		if err := h.api.Start(t, "settings", h.opts).AwaitOpen(within(t, 10*time.Second)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v of a backup of no map, where there must be one", err)
		}
		end()
		add(t, store)
	})
}
