package typed_test

import (
	"errors"
	"maps"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
	"github.com/unrolled/mapstore/v2/pkg/typed"
)

func TestAValueReadsItsOwnWrites(t *testing.T) {
	api := mapstoretest.NewAPI(t)
	stores := []*mapstore.Store{open(t, api), open(t, api)}
	var wg sync.WaitGroup
	for _, store := range stores {
		v := typed.Bind(store, "n", typed.Int[int](), 0)
		for range 3 {
			wg.Go(func() {
				for range 10 {
					var mine int
					err := v.Update(t.Context(), func(n int) (int, error) { mine = n + 1; return mine, nil })
					if err != nil {
						t.Error(err)
					}
					if got := v.Load(); got < mine {
						t.Errorf("Load = %d after Update has written %d", got, mine)
					}
				}
			})
		}
	}
	wg.Wait()
	for _, store := range stores {
		if _, err := store.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := typed.Bind(store, "n", typed.Int[int](), 0).Load(); n != 60 {
			t.Errorf("n = %d after 60 increments", n)
		}
	}
}

// What is written is served even while an older text is being decoded, and even
// if what comes right behind it is rejected.
func TestAValueReadsItsOwnWriteBehindWhichABadTextCame(t *testing.T) {
	api := mapstoretest.NewAPI(t)
	store, log := listening(t, api)
	other := open(t, api)
	entered, hold := make(chan struct{}), make(chan struct{})
	v := typed.Bind(store, "n", typed.Codec[int]{
		Decode: func(text string) (int, error) {
			if text == "held" {
				close(entered)
				<-hold
			}
			return strconv.Atoi(text)
		},
		Encode: func(n int) (string, error) { return strconv.Itoa(n), nil },
	}, 0)
	set(t, other, "n", "held")
	<-entered
	remove(t, store, "n")
	if err := v.Set(t.Context(), 5); err != nil {
		t.Fatal(err)
	}
	if v.Load() != 5 {
		t.Errorf("Load = %d while an older text is being decoded, want 5", v.Load())
	}
	set(t, store, "n", "bad")
	close(hold)
	expect(t, log, "is rejected")
	if v.Load() != 5 || v.Err() == nil {
		t.Errorf("Load = %d, %v", v.Load(), v.Err())
	}
}

func TestSetSendsNothingThatCannotBeRead(t *testing.T) {
	store := open(t, mapstoretest.NewAPI(t))
	positive := typed.Int[int]().Validate(func(n int) error {
		if n < 0 {
			return typed.Reject("negative")
		}
		return nil
	})
	v := typed.Bind(store, "n", positive, -1)
	if err := v.Set(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	before := store.Snapshot().Revision()
	unreadable := typed.Codec[int]{Decode: typed.Int[int]().Decode, Encode: func(int) (string, error) { return "x", nil }}
	readOnly := typed.Codec[int]{Decode: typed.Int[int]().Decode}
	bad := typed.Bind(store, "a/b", typed.Int[int](), 3)
	for _, refused := range []struct {
		what      string
		err, want error
	}{
		{"Set of what is invalid", v.Set(t.Context(), -5), typed.ErrRejected},
		{"Update to what is invalid", v.Update(t.Context(), func(n int) (int, error) { return -n, nil }), typed.ErrRejected},
		{"Set of what would not be read", typed.Bind(store, "n", unreadable, 0).Set(t.Context(), 1), typed.ErrRejected},
		{"Set of what cannot be encoded", typed.Bind(store, "f", typed.JSON[func()](), nil).Set(t.Context(), func() {}), typed.ErrRejected},
		{"Set without Encode", typed.Bind(store, "n", readOnly, 0).Set(t.Context(), 1), mapstore.ErrInvalidArgument},
		{"Update with nil", v.Update(t.Context(), nil), mapstore.ErrInvalidArgument},
		{"Set of too much", typed.Bind(store, "big", typed.String[string](), "").Set(t.Context(), strings.Repeat("v", 1<<20+1)), mapstore.ErrTooLarge},
		{"Set of a key that no map can have", bad.Set(t.Context(), 1), mapstore.ErrInvalidKey},
		{"Err of a key that no map can have", bad.Err(), mapstore.ErrInvalidKey},
	} {
		if !errors.Is(refused.err, refused.want) {
			t.Errorf("%s: %v", refused.what, refused.err)
		}
	}
	if now, err := store.Sync(t.Context()); err != nil || now.Revision() != before {
		t.Errorf("something was written: %v", err)
	}
	if len(store.Status().Rejected) > 0 || v.Load() != 1 || bad.Load() != 3 {
		t.Errorf("after refused writes: %v, %d, %d", store.Status().Rejected, v.Load(), bad.Load())
	}
}

func TestUpdateLeavesAloneWhatItCannotRead(t *testing.T) {
	store, log := listening(t, mapstoretest.NewAPI(t))
	set(t, store, "n", "bad")
	v := typed.Bind(store, "n", typed.Int[int](), 7)
	expect(t, log, "is rejected")
	err := v.Update(t.Context(), func(int) (int, error) { t.Error("the function ran"); return 0, nil })
	if raw, _ := store.Get("n"); !errors.Is(err, typed.ErrRejected) || raw != "bad" {
		t.Errorf("Update: %v, %q", err, raw)
	}
	if err := v.Set(t.Context(), 8); err != nil || v.Load() != 8 || v.Err() != nil {
		t.Errorf("Set: %v, %d, %v", err, v.Load(), v.Err())
	}
	mine := errors.New("mine")
	if err := v.Update(t.Context(), func(n int) (int, error) { return n, mine }); !errors.Is(err, mine) || v.Load() != 8 {
		t.Errorf("Update whose function fails: %v, %d", err, v.Load())
	}
}

// A function given to Update may do to its argument what it likes.
func TestUpdateGivesEachRunAValueOfItsOwn(t *testing.T) {
	api := mapstoretest.NewAPI(t)
	store, other := open(t, api), open(t, api)
	fallback := map[string]int{"runs": 0}
	v := typed.Bind(store, "m", typed.JSON[map[string]int](), fallback)
	var wg sync.WaitGroup
	for _, v := range []*typed.Value[map[string]int]{v, typed.Bind(other, "m", typed.JSON[map[string]int](), fallback)} {
		wg.Go(func() {
			for range 10 {
				held := v.Load()
				before := maps.Clone(held)
				if err := v.Update(t.Context(), func(m map[string]int) (map[string]int, error) {
					m["runs"]++
					return m, nil
				}); err != nil {
					t.Error(err)
				}
				if !maps.Equal(held, before) {
					t.Error("what Load has returned was changed")
				}
			}
		})
	}
	wg.Wait()
	if _, err := store.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := v.Update(t.Context(), func(m map[string]int) (map[string]int, error) { m["runs"]++; return m, nil }); err != nil || v.Load()["runs"] != 21 {
		t.Errorf("%v after 21 Updates: %v", v.Load(), err)
	}
	mine := map[string]int{"runs": 100}
	if err := v.Set(t.Context(), mine); err != nil {
		t.Fatal(err)
	}
	mine["runs"] = 0
	if fallback["runs"] != 0 || v.Load()["runs"] != 100 {
		t.Errorf("the fallback is %v, the value %v", fallback, v.Load())
	}
}

// Codecs read and write inside a transaction of the store, several keys at once.
func TestACodecReadsInsideATransaction(t *testing.T) {
	store := open(t, mapstoretest.NewAPI(t))
	set(t, store, "n", "41")
	_, err := store.Update(t.Context(), func(tx *mapstore.Tx) error {
		tx.Set("m", "1")
		n, err1 := typed.Int[int]().From(tx, "n", 0)
		m, err2 := typed.Int[int]().From(tx, "m", 0)
		tx.Set("sum", strconv.Itoa(n+m))
		return errors.Join(err1, err2)
	})
	if sum, _ := store.Get("sum"); sum != "42" || err != nil {
		t.Errorf("the sum is %q, %v", sum, err)
	}
}
