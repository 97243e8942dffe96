package typed_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
	"github.com/unrolled/mapstore/v2/pkg/typed"
)

const rounds = 1000

// slowly is a codec of integers that takes a while, like that of a long document.
func slowly(took time.Duration) typed.Codec[int] {
	codec := typed.Int[int]()
	decode := codec.Decode
	codec.Decode = func(text string) (int, error) {
		time.Sleep(took)
		return decode(text)
	}
	return codec
}

// both returns a Value and a Derived of the key n, with a slow codec.
func both(store *mapstore.Store) (*typed.Value[int], *typed.Derived[int]) {
	codec := slowly(10 * time.Millisecond)
	return typed.Bind(store, "n", codec, -1), typed.Derive(store, func(now mapstore.Reader) (int, error) { return codec.From(now, "n", -1) })
}

// A program that reads its settings as soon as WaitForSync returns must not act on
// the defaults.
func TestAfterWaitForSyncNoValueIsAtItsDefault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		api.ConfigMap("default", "settings").Set("n", "5")
		for range rounds {
			store, start := unstarted(t, api, mapstore.Options{})
			v, d := both(store)
			start()
			if v.Load() != 5 || d.Load() != 5 {
				t.Fatalf("%d, %d when WaitForSync has returned", v.Load(), d.Load())
			}
			store.Close()
		}
	})
}

// A controller enqueues in a callback of the store, and reads a Value when it takes the
// request from the queue: it must not act on the value from before.
func TestInACallbackOfTheStoreEveryValueIsAsNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		store := open(t, api)
		v, d := both(store)
		var mu sync.Mutex
		told := 0
		check := func(who string, now mapstore.Reader) {
			mu.Lock()
			defer mu.Unlock()
			n, _ := typed.Int[int]().From(now, "n", -1)
			if v.Load() < n || d.Load() < n {
				t.Errorf("%s is told of %d and reads %d, %d", who, n, v.Load(), d.Load())
			}
			told++
		}
		store.OnChange(func(change mapstore.Change) { check("OnChange", change.New) })
		go func() {
			for change := range store.Changes(t.Context()) {
				check("Changes", change.New)
			}
		}()
		for i := range rounds {
			api.ConfigMap("default", "settings").Set("n", strconv.Itoa(i))
			time.Sleep(time.Duration(i%30) * time.Millisecond)
		}
		store.Close() // while there is something to tell
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		if told < rounds/2 || t.Failed() {
			t.Errorf("told %d times", told)
		}
	})
}

// Keys that are written together are seen together, in the callbacks of Values too.
func TestInACallbackOfAValueEveryOtherValueIsAsNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		store := open(t, api)
		slow, _ := both(store)
		quick := typed.Bind(store, "n", typed.Int[int](), -1)
		quick.OnChange(func(_, now int) {
			if slow.Load() < now {
				t.Errorf("told of %d while another Value is at %d", now, slow.Load())
			}
		})
		for i := range rounds {
			api.ConfigMap("default", "settings").Set("n", strconv.Itoa(i))
			if _, err := quick.WaitUntil(t.Context(), func(n int) bool { return n >= i }); err != nil || slow.Load() < i {
				t.Fatalf("%v, and the other Value is at %d, not at %d", err, slow.Load(), i)
			}
		}
	})
}

func TestWhenAReadOrWriteReturnsEveryValueIsAsNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		store, other := open(t, api), open(t, api)
		v, d := both(store)
		n := 0
		bySomebodyElse := func() string {
			now, err := other.Update(t.Context(), func(tx *mapstore.Tx) error { tx.Set("n", strconv.Itoa(n)); return nil })
			if err != nil {
				t.Fatal(err)
			}
			return now.Revision()
		}
		calls := map[string]func(context.Context) error{
			"Set": func(ctx context.Context) error { return store.Set(ctx, "n", strconv.Itoa(n)) },
			"Update": func(ctx context.Context) error {
				_, err := store.Update(ctx, func(tx *mapstore.Tx) error { tx.Set("n", strconv.Itoa(n)); return nil })
				return err
			},
			"Sync": func(ctx context.Context) error { bySomebodyElse(); _, err := store.Sync(ctx); return err },
			"WaitFor": func(ctx context.Context) error {
				_, err := store.WaitFor(ctx, bySomebodyElse())
				return err
			},
			"WaitUntil": func(ctx context.Context) error {
				bySomebodyElse()
				_, err := store.WaitUntil(ctx, func(now *mapstore.Snapshot) bool {
					text, _ := now.Get("n")
					return text == strconv.Itoa(n)
				})
				return err
			},
		}
		for range rounds / len(calls) {
			for name, call := range calls {
				n++
				if err := call(t.Context()); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if v.Load() != n || d.Load() != n {
					t.Fatalf("%s has returned, and the values are %d and %d, not %d", name, v.Load(), d.Load(), n)
				}
			}
		}
		for name, erase := range map[string]func(context.Context) error{"Delete": func(ctx context.Context) error { return store.Delete(ctx, "n") }, "Clear": store.Clear} {
			set(t, store, "n", "1")
			if err := erase(t.Context()); err != nil || v.Load() != -1 || d.Load() != -1 {
				t.Errorf("%s: %v, and the values are %d and %d", name, err, v.Load(), d.Load())
			}
		}
		for i, want := range []string{"x", "y"} { // a rejected text is known as such
			set(t, store, "n", want)
			if v.Err() == nil || d.Err() == nil || len(store.Status().Rejected) != 1 {
				t.Errorf("%d: a bad text: %v, %v, %v", i, v.Err(), d.Err(), store.Status().Rejected)
			}
		}
	})
}

// The order has a limit: a codec that takes longer than a second costs others that second
// once for each call of it, and nobody waits for one that never returns.
func TestACodecThatBlocksDelaysOthersForASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := open(t, mapstoretest.NewAPI(t))
		release := make(chan struct{})
		stuck := typed.Bind(store, "n", typed.Codec[int]{Decode: func(text string) (int, error) {
			<-release
			return strconv.Atoi(text)
		}}, -1)
		var told []time.Time
		store.OnChange(func(mapstore.Change) { told = append(told, time.Now()) })
		synctest.Wait()
		for i := range 20 {
			began := time.Now()
			set(t, store, "n", strconv.Itoa(i))
			synctest.Wait()
			want := time.Duration(0)
			if i == 0 {
				want = time.Second
			}
			if took := time.Since(began).Truncate(100 * time.Millisecond); took != want {
				t.Errorf("write %d took %v, want %v", i, took, want)
			}
			if late := told[len(told)-1].Sub(began).Truncate(100 * time.Millisecond); late != want || len(told) != i+1 {
				t.Errorf("%d callbacks, the last one %v after the write, want %v", len(told), late, want)
			}
		}
		close(release)
		synctest.Wait()
		if stuck.Load() != 19 {
			t.Errorf("it has ended at %d", stuck.Load())
		}
		set(t, store, "n", "20")
		if stuck.Load() != 20 {
			t.Errorf("once it works again: %d", stuck.Load())
		}
	})
}

// What waits for a codec ends with its ctx, and with the Value or the store.
func TestNobodyWaitsForACodecLongerThanHeMust(t *testing.T) {
	for name, end := range map[string]func(cancel func(), store *mapstore.Store, stuck *typed.Value[int]){
		"its ctx":   func(cancel func(), _ *mapstore.Store, _ *typed.Value[int]) { cancel() },
		"the store": func(_ func(), store *mapstore.Store, _ *typed.Value[int]) { go store.Close() },
		"the Value": func(_ func(), _ *mapstore.Store, stuck *typed.Value[int]) { go stuck.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := mapstoretest.NewAPI(t)
				store := open(t, api)
				stuck := typed.Bind(store, "n", slowly(500*time.Millisecond), -1)
				api.ConfigMap("default", "settings").Set("n", "1")
				synctest.Wait()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				time.AfterFunc(100*time.Millisecond, func() { end(cancel, store, stuck) })
				began := time.Now()
				_, err := store.WaitFor(ctx, "")
				if took := time.Since(began); took > 500*time.Millisecond || err != nil && !errors.Is(err, context.Canceled) {
					t.Errorf("%v after %v", err, took)
				}
			})
		})
	}
}
