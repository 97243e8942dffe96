package mapstore_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// listening returns a running store, and what it logs.
func (c *cluster) listening() (*mapstore.Store, <-chan string) {
	c.Helper()
	lines := make(chan string, 1000)
	store, err := mapstore.New(c.client(), "ns", "settings", mapstore.Options{Logger: listener(lines)})
	if err != nil {
		c.Fatal(err)
	}
	return c.start(store), lines
}

func listener(lines chan<- string) logr.Logger {
	return funcr.New(func(_, args string) { lines <- args }, funcr.Options{Verbosity: 127})
}

// expect takes the next line, which must contain text.
func expect(t *testing.T, lines <-chan string, text string) {
	t.Helper()
	if line := <-lines; !strings.Contains(line, text) {
		t.Errorf("the log says %s, want %q", line, text)
	}
}

func set(t *testing.T, store *mapstore.Store, key, value string) {
	t.Helper()
	if err := store.Set(t.Context(), key, value); err != nil {
		t.Fatal(err)
	}
}

type step struct{ old, new int }

// steps returns the chain of changes of a Value.
func steps(v *mapstore.Value[int]) <-chan step {
	steps := make(chan step, 1000)
	v.OnChange(func(old, new int) { steps <- step{old, new} })
	return steps
}

func next[T comparable](t *testing.T, from <-chan T, want T) {
	t.Helper()
	if got := <-from; got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestAValueFollowsItsKey(t *testing.T) {
	c := newCluster(t)
	store, other := c.store(), c.store()
	set(t, store, "n", "1")
	v := mapstore.Bind(store, "n", mapstore.Int[int](), 7)
	if v.Load() != 1 || v.Err() != nil {
		t.Errorf("after Bind: %d, %v", v.Load(), v.Err())
	}
	changes := steps(v)
	next(t, changes, step{7, 1})
	set(t, other, "n", "2")
	next(t, changes, step{1, 2})
	set(t, other, "unrelated", "x")
	set(t, other, "n", "3")
	next(t, changes, step{2, 3})
	if err := other.Delete(t.Context(), "n"); err != nil {
		t.Fatal(err)
	}
	next(t, changes, step{3, 7})
	if v.Load() != 7 {
		t.Errorf("Load = %d after the key was deleted, want the fallback", v.Load())
	}
}

func TestARejectedTextLeavesTheLastGoodValue(t *testing.T) {
	store, log := newCluster(t).listening()
	set(t, store, "n", "bad")
	v := mapstore.Bind(store, "n", mapstore.Int[int](), 7)
	w := mapstore.Bind(store, "other", mapstore.Int[int](), 8)
	changes, others := steps(v), steps(w)
	expect(t, log, "is rejected")
	if err := v.Err(); v.Load() != 7 || !errors.Is(err, mapstore.ErrRejected) {
		t.Errorf("with a bad text only: %d, %v", v.Load(), err)
	}

	set(t, store, "n", "1")
	next(t, changes, step{7, 1})
	expect(t, log, "accepted again")
	set(t, store, "n", "bad")
	expect(t, log, "is rejected")
	set(t, store, "other", "9")
	next(t, others, step{8, 9}) // a bad key hides no other
	if v.Load() != 1 || v.Err() == nil || w.Err() != nil {
		t.Errorf("with a bad text after a good one: %d, %v, %v", v.Load(), v.Err(), w.Err())
	}
	status := store.Status()
	if fmt.Sprint(status.Rejected) != "[n]" || status.Err != nil {
		t.Errorf("Status has %v, %v", status.Rejected, status.Err)
	}

	set(t, store, "n", "1") // the same as before: nobody is called
	expect(t, log, "accepted again")
	set(t, store, "n", "2")
	next(t, changes, step{1, 2})
	set(t, store, "n", "bad")
	expect(t, log, "is rejected")
	if err := store.Delete(t.Context(), "n"); err != nil {
		t.Fatal(err)
	}
	next(t, changes, step{2, 7})
	expect(t, log, "accepted again")
	if status := store.Status(); v.Err() != nil || status.Rejected != nil {
		t.Errorf("without the key: %v, %v", v.Err(), status.Rejected)
	}
}

func TestEachTextIsDecodedOnce(t *testing.T) {
	c := newCluster(t)
	store, other := c.store(), c.store()
	var decoded sync.Map
	count := func(text string) int32 {
		n, _ := decoded.LoadOrStore(text, &atomic.Int32{})
		return n.(*atomic.Int32).Add(1)
	}
	v := mapstore.Bind(store, "n", mapstore.Codec[int]{
		Decode: func(text string) (int, error) { count(text); return strconv.Atoi(text) },
		Encode: func(n int) (string, error) { return strconv.Itoa(n), nil },
	}, 0)
	changes := steps(v)
	for i := 1; i <= 20; i++ {
		if i%2 == 0 {
			set(t, other, "n", strconv.Itoa(i))
		} else if err := v.Set(t.Context(), i); err != nil {
			t.Fatal(err)
		}
		next(t, changes, step{i - 1, i})
		set(t, other, "unrelated", strconv.Itoa(i))
	}
	for range 100 {
		v.Load()
	}
	for i := 1; i <= 20; i++ {
		if n := count(strconv.Itoa(i)) - 1; n != 1 {
			t.Errorf("%d was decoded %d times", i, n)
		}
	}
}

func TestAValueReadsItsOwnWrites(t *testing.T) {
	c := newCluster(t)
	stores := []*mapstore.Store{c.store(), c.store()}
	var wg sync.WaitGroup
	for _, store := range stores {
		v := mapstore.Bind(store, "n", mapstore.Int[int](), 0)
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
		if n := mapstore.Bind(store, "n", mapstore.Int[int](), 0).Load(); n != 60 {
			t.Errorf("n = %d after 60 increments", n)
		}
	}
}

// What is written is served even if what comes right behind it is rejected.
func TestAValueReadsItsOwnWriteBehindWhichABadTextCame(t *testing.T) {
	c := newCluster(t)
	store, log := c.listening()
	other := c.store()
	hold := make(chan struct{})
	v := mapstore.Bind(store, "n", mapstore.Codec[int]{
		Decode: func(text string) (int, error) {
			if text == "held" {
				<-hold
			}
			return strconv.Atoi(text)
		},
		Encode: func(n int) (string, error) { return strconv.Itoa(n), nil },
	}, 0)
	// While the subscription is held up, a good text and a bad one arrive.
	set(t, other, "n", "held")
	written, err := other.Update(t.Context(), func(tx *mapstore.Tx) error { tx.Delete("n"); return nil })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.WaitFor(t.Context(), written.Revision()); err != nil {
		t.Fatal(err)
	}
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

func TestABlockingCodecCostsOnlyItsOwnValue(t *testing.T) {
	c := newCluster(t)
	store := c.store()
	entered, release := make(chan struct{}), make(chan struct{})
	enter := sync.OnceFunc(func() { close(entered) })
	blocked := mapstore.Bind(store, "n", mapstore.Codec[int]{Decode: func(text string) (int, error) {
		enter()
		<-release
		return strconv.Atoi(text)
	}}, -1)
	v := mapstore.Bind(store, "n", mapstore.Int[int](), 0)
	changes := steps(v)
	for i := 1; i < 20; i++ {
		set(t, store, "n", strconv.Itoa(i))
		next(t, changes, step{i - 1, i})
		if i == 1 {
			<-entered
		}
	}
	if blocked.Load() != -1 {
		t.Errorf("Load = %d while the codec blocks", blocked.Load())
	}
	ended := steps(blocked)
	close(release)
	for got := range ended { // the version at which it blocked, or none, and then the newest
		if got.new == 19 {
			break
		}
	}
}

// Whatever a codec does, it is an error of its own Value and no more.
func TestWhateverACodecDoesRejectsTheText(t *testing.T) {
	const canary = "canary-4711"
	for name, decode := range map[string]func(string) (int, error){
		"fails":                      func(text string) (int, error) { return 0, fmt.Errorf("cannot parse %q", text) },
		"panics":                     func(text string) (int, error) { panic("cannot parse " + text) },
		"panics with an error":       func(text string) (int, error) { panic(fmt.Errorf("cannot parse %q", text)) },
		"panics with the runtime's":  func(text string) (int, error) { return int([]byte(text)[len(text)]), nil },
		"ends its goroutine":         func(string) (int, error) { runtime.Goexit(); return 0, nil },
		"fails after its validation": mapstore.Codec[int]{Decode: func(string) (int, error) { return 1, nil }}.Validate(func(int) error { return errors.New(canary) }).Decode,
	} {
		t.Run(name, func(t *testing.T) {
			store, log := newCluster(t).listening()
			v := mapstore.Bind(store, "n", mapstore.Codec[int]{Decode: func(text string) (int, error) {
				if text == "good" {
					return 2, nil
				}
				return decode(text)
			}}, 1)
			changes := steps(v)
			set(t, store, "n", canary)
			line := <-log
			if !strings.Contains(line, "is rejected") || !strings.Contains(line, `"key"="n"`) {
				t.Errorf("the log says %s", line)
			}
			err := v.Err()
			if !errors.Is(err, mapstore.ErrRejected) {
				t.Errorf("Err = %v", err)
			}
			for _, text := range []string{line, fmt.Sprint(err), fmt.Sprintf("%+v %#v", err, err), fmt.Sprintf("%+v", store.Status())} {
				if strings.Contains(text, canary) {
					t.Errorf("the value is in: %s", text)
				}
			}
			set(t, store, "n", "good")
			next(t, changes, step{1, 2})
			if v.Err() != nil {
				t.Errorf("Err = %v", v.Err())
			}
			v.Close()
			store.Close()
			for {
				select {
				case line := <-log:
					if strings.Contains(line, canary) {
						t.Errorf("the value is in the log: %s", line)
					}
					continue
				default:
				}
				break
			}
		})
	}
}

func TestSetSendsNothingThatCannotBeRead(t *testing.T) {
	store := newCluster(t).store()
	positive := mapstore.Int[int]().Validate(func(n int) error {
		if n < 0 {
			return mapstore.Reject("negative")
		}
		return nil
	})
	v := mapstore.Bind(store, "n", positive, -1)
	if err := v.Set(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	before := store.Snapshot().Revision()
	err := v.Set(t.Context(), -5)
	if !errors.Is(err, mapstore.ErrRejected) || !strings.Contains(err.Error(), "negative") {
		t.Errorf("Set of what is invalid: %v", err)
	}
	if err := v.Update(t.Context(), func(n int) (int, error) { return -n, nil }); !errors.Is(err, mapstore.ErrRejected) {
		t.Errorf("Update to what is invalid: %v", err)
	}
	unreadable := mapstore.Codec[int]{Decode: mapstore.Int[int]().Decode, Encode: func(int) (string, error) { return "x", nil }}
	if err := mapstore.Bind(store, "n", unreadable, 0).Set(t.Context(), 1); !errors.Is(err, mapstore.ErrRejected) {
		t.Errorf("Set of what would not be read: %v", err)
	}
	if err := mapstore.Bind(store, "f", mapstore.JSON[func()](), nil).Set(t.Context(), func() {}); !errors.Is(err, mapstore.ErrRejected) {
		t.Errorf("Set of what cannot be encoded: %v", err)
	}
	readOnly := mapstore.Bind(store, "n", mapstore.Codec[int]{Decode: positive.Decode}, 0)
	if err := readOnly.Set(t.Context(), 1); !errors.Is(err, mapstore.ErrInvalidArgument) {
		t.Errorf("Set without Encode: %v", err)
	}
	if err := v.Update(t.Context(), nil); !errors.Is(err, mapstore.ErrInvalidArgument) {
		t.Errorf("Update with nil: %v", err)
	}
	if err := mapstore.Bind(store, "big", mapstore.String[string](), "").Set(t.Context(), strings.Repeat("v", 1<<20+1)); !errors.Is(err, mapstore.ErrTooLarge) {
		t.Errorf("Set of too much: %v", err)
	}
	bad := mapstore.Bind(store, "a/b", mapstore.Int[int](), 3)
	if err := bad.Set(t.Context(), 1); !errors.Is(err, mapstore.ErrInvalidKey) || !errors.Is(bad.Err(), mapstore.ErrInvalidKey) || bad.Load() != 3 {
		t.Errorf("a key that no map can have: %v, %v, %d", err, bad.Err(), bad.Load())
	}
	if now, err := store.Sync(t.Context()); err != nil || now.Revision() != before {
		t.Errorf("something was written: %v", err)
	}
	if len(store.Status().Rejected) > 0 || v.Load() != 1 {
		t.Errorf("after refused writes: %v, %d", store.Status().Rejected, v.Load())
	}
}

// An error whose text may quote the value is told by its type, and by what would
// have its text shown: in what is read as in what is written.
func TestARejectedValueHasAReasonThatQuotesNothing(t *testing.T) {
	store := newCluster(t).store()
	const canary = "canary-4711"
	unfit := errors.New("unfit: " + canary)
	v := mapstore.Bind(store, "k", mapstore.String[string]().Validate(func(text string) error {
		switch text {
		case "wrapped":
			return fmt.Errorf("wrapped: %w", unfit)
		case "known":
			return fmt.Errorf("%w: %w", mapstore.Reject("known to be bad"), unfit)
		}
		return unfit
	}), "")
	const bare = "an error of type *errors.errorString (Reject makes one whose text is shown)"
	for text, want := range map[string]string{
		canary:    bare,
		"wrapped": "an error of type *fmt.wrapError (Reject makes one whose text is shown)",
		"known":   "known to be bad",
	} {
		set(t, store, "k", text)
		mapstore.Eventually(t, "it is rejected", func() bool { // in place of the one before
			rejected, ok := errors.AsType[*mapstore.RejectedError](v.Err())
			return ok && rejected.Reason == want && errors.Is(v.Err(), unfit)
		})
		err := v.Set(t.Context(), text)
		rejected, ok := errors.AsType[*mapstore.RejectedError](err)
		if !ok || rejected.Reason != "its encoding is rejected; "+want || !errors.Is(rejected.Cause, unfit) {
			t.Errorf("Set: %v, want %s", err, want)
		}
	}
	err := mapstore.Bind(store, "f", mapstore.JSON[func()](), nil).Set(t.Context(), func() {})
	if want := "it cannot be encoded; an error of type *json.UnsupportedTypeError"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("Set of what cannot be encoded: %v", err)
	}
}

func TestUpdateLeavesAloneWhatItCannotRead(t *testing.T) {
	store, log := newCluster(t).listening()
	set(t, store, "n", "bad")
	v := mapstore.Bind(store, "n", mapstore.Int[int](), 7)
	expect(t, log, "is rejected")
	err := v.Update(t.Context(), func(int) (int, error) { t.Error("the function ran"); return 0, nil })
	if raw, _ := store.Get("n"); !errors.Is(err, mapstore.ErrRejected) || raw != "bad" {
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
	c := newCluster(t)
	store := c.store()
	fallback := map[string]int{"runs": 0}
	v := mapstore.Bind(store, "m", mapstore.JSON[map[string]int](), fallback)
	other := mapstore.Bind(c.store(), "m", mapstore.JSON[map[string]int](), fallback)
	var wg sync.WaitGroup
	for _, v := range []*mapstore.Value[map[string]int]{v, other} {
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
	mine := map[string]int{"runs": 100}
	if err := v.Set(t.Context(), mine); err != nil {
		t.Fatal(err)
	}
	mine["runs"] = 0
	if fallback["runs"] != 0 || v.Load()["runs"] != 100 {
		t.Errorf("the fallback is %v, the value %v", fallback, v.Load())
	}
}

// A codec that returns one pointer again and again shows as what it is: the
// changes are those of the text.
func TestACodecThatReturnsOnePointer(t *testing.T) {
	c := newCluster(t)
	store := c.store()
	shared := new(int)
	v := mapstore.Bind(store, "p", mapstore.Codec[*int]{Decode: func(string) (*int, error) { return shared, nil }}, nil)
	calls := make(chan *int, 10)
	v.OnChange(func(_, new *int) { calls <- new })
	for _, text := range []string{"a", "b"} {
		set(t, store, "p", text)
		next(t, calls, shared)
	}
}

func TestBindBeforeTheFirstSync(t *testing.T) {
	c := newCluster(t)
	set(t, c.store(), "n", "5")
	store, err := mapstore.New(c.client(), "ns", "settings", mapstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	v := mapstore.Bind(store, "n", mapstore.Int[int](), 7)
	changes := steps(v)
	if v.Load() != 7 || v.Err() != nil {
		t.Errorf("before the sync: %d, %v", v.Load(), v.Err())
	}
	c.start(store)
	next(t, changes, step{7, 5})
}

func TestBindAfterClose(t *testing.T) {
	c := newCluster(t)
	store := c.store()
	set(t, store, "n", "5")
	store.Close()
	v := mapstore.Bind(store, "n", mapstore.Int[int](), 7)
	v.OnChange(func(_, _ int) { t.Error("a callback ran") })
	if v.Load() != 5 || v.Err() != nil {
		t.Errorf("Bind after Close: %d, %v", v.Load(), v.Err())
	}
	if err := v.Set(t.Context(), 6); !errors.Is(err, mapstore.ErrClosed) {
		t.Errorf("Set after Close: %v", err)
	}
	v.Close()
}

func TestTheStoresCloseEndsItsValues(t *testing.T) {
	c := newCluster(t)
	store, other := c.store(), c.store()
	v, w := mapstore.Bind(store, "n", mapstore.Int[int](), 0), mapstore.Bind(store, "n", mapstore.Int[int](), 0)
	var closers sync.WaitGroup
	closers.Add(2)
	var running atomic.Int32
	for _, v := range []*mapstore.Value[int]{v, w} { // each closes the store at the same moment
		v.OnChange(func(_, _ int) {
			running.Add(1)
			defer running.Add(-1)
			closers.Done()
			closers.Wait()
			store.Close()
		})
	}
	set(t, other, "n", "1")
	closers.Wait()
	store.Close()
	if running.Load() != 0 {
		t.Error("a callback is running after Close")
	}
	set(t, other, "n", "2")
	if v.Load() != 1 || w.Load() != 1 {
		t.Errorf("a Value goes on after the store's Close: %d, %d", v.Load(), w.Load())
	}
}

func TestTheStoresCloseWaitsForTheCallbacksOfItsValues(t *testing.T) {
	store := newCluster(t).store()
	v := mapstore.Bind(store, "n", mapstore.Int[int](), 0)
	entered, release := make(chan struct{}), make(chan struct{})
	var finished atomic.Bool
	v.OnChange(func(_, _ int) {
		close(entered)
		<-release
		finished.Store(true)
	})
	set(t, store, "n", "1")
	<-entered
	time.AfterFunc(10*time.Millisecond, func() { close(release) })
	store.Close()
	if !finished.Load() {
		t.Error("a callback is running after Close")
	}
}

func TestAClosedValueStaysAsItWas(t *testing.T) {
	store, log := newCluster(t).listening()
	v, w := mapstore.Bind(store, "n", mapstore.Int[int](), 0), mapstore.Bind(store, "n", mapstore.Int[int](), 0)
	set(t, store, "n", "bad")
	expect(t, log, "is rejected")
	expect(t, log, "is rejected")
	changes := steps(w)
	v.OnChange(func(_, _ int) { t.Error("a callback ran after Close") })
	v.Close()
	v.Close()
	set(t, store, "n", "1")
	next(t, changes, step{0, 1})
	if v.Load() != 0 || v.Err() == nil {
		t.Errorf("a closed Value: %d, %v", v.Load(), v.Err())
	}
	if err := v.Set(t.Context(), 2); !errors.Is(err, mapstore.ErrClosed) {
		t.Errorf("Set on a closed Value: %v", err)
	}
	w.Close()
	if rejected := store.Status().Rejected; rejected != nil {
		t.Errorf("Status has %v of closed Values", rejected)
	}
}

// The map may go back in time and be recreated: the rules stay the same.
func TestAValueThroughDeletionAndRecreation(t *testing.T) {
	c := newCluster(t)
	store := c.store()
	v := mapstore.Bind(store, "n", mapstore.Int[int](), 0)
	changes := steps(v)
	backup := ""
	for i := range 4 {
		now, err := store.Update(t.Context(), increment)
		if err != nil {
			t.Fatal(err)
		}
		if i == 1 {
			backup = now.Revision()
		}
		next(t, changes, step{i, i + 1})
	}
	c.api.Rewind(backup)
	c.server.CloseClientConnections()
	next(t, changes, step{4, 2})
}

func TestLoadAllocatesNothing(t *testing.T) {
	store := newCluster(t).store()
	type config struct {
		Name string
		Port int
	}
	v := mapstore.Bind(store, "c", mapstore.JSON[config](), config{"x", 1})
	if n := testing.AllocsPerRun(1000, func() { _ = v.Load() }); n != 0 {
		t.Errorf("Load allocates %v times", n)
	}
}

func BenchmarkValueLoad(b *testing.B) {
	store, err := mapstore.New(fake.NewClientset(), "ns", "settings", mapstore.Options{})
	if err != nil {
		b.Fatal(err)
	}
	v := mapstore.Bind(store, "n", mapstore.Int[int](), 7)
	sum := 0
	for b.Loop() {
		sum += v.Load()
	}
	_ = sum
}

func TestTypedErrorsCarryTheirCause(t *testing.T) {
	store, log := newCluster(t).listening()
	mine := &json.SyntaxError{Offset: 3}
	v := mapstore.Bind(store, "n", mapstore.Codec[int]{Decode: func(string) (int, error) { return 0, fmt.Errorf("wrapped: %w", mine) }}, 0)
	set(t, store, "n", "x")
	expect(t, log, "is rejected")
	rejected, ok := errors.AsType[*mapstore.RejectedError](v.Err())
	if !ok || rejected.Name != "n" || !errors.Is(v.Err(), mine) {
		t.Errorf("Err = %#v", v.Err())
	}
}
