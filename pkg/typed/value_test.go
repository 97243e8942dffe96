package typed_test

import (
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
	"github.com/unrolled/mapstore/v2/pkg/typed"
)

// From before the first sync, through changes by others, deletion, and a cluster
// that has gone back in time.
func TestAValueFollowsItsKey(t *testing.T) {
	api := mapstoretest.NewAPI(t)
	other := open(t, api)
	set(t, other, "n", "1")
	backup := other.Snapshot().Revision()
	store, start := unstarted(t, api, mapstore.Options{})
	v := typed.Bind(store, "n", typed.Int[int](), 7)
	changes := steps(v)
	if v.Load() != 7 || v.Err() != nil {
		t.Errorf("before the sync: %d, %v", v.Load(), v.Err())
	}
	start()
	next(t, changes, step[int]{7, 1})
	if late := typed.Bind(store, "n", typed.Int[int](), 7); late.Load() != 1 || late.Err() != nil {
		t.Errorf("after Bind: %d, %v", late.Load(), late.Err())
	}
	set(t, other, "n", "2")
	next(t, changes, step[int]{1, 2})
	set(t, other, "unrelated", "x")
	set(t, other, "n", "3")
	next(t, changes, step[int]{2, 3})
	remove(t, other, "n")
	next(t, changes, step[int]{3, 7})
	if v.Load() != 7 {
		t.Errorf("Load = %d after the key was deleted, want the fallback", v.Load())
	}
	api.Rewind(backup)
	next(t, changes, step[int]{7, 1})
}

func TestARejectedTextLeavesTheLastGoodValue(t *testing.T) {
	store, log := listening(t, mapstoretest.NewAPI(t))
	set(t, store, "n", "bad")
	v := typed.Bind(store, "n", typed.Int[int](), 7)
	w := typed.Bind(store, "other", typed.Int[int](), 8)
	changes, others := steps(v), steps(w)
	expect(t, log, "is rejected")
	if err := v.Err(); v.Load() != 7 || !errors.Is(err, typed.ErrRejected) {
		t.Errorf("with a bad text only: %d, %v", v.Load(), err)
	}

	set(t, store, "n", "1")
	next(t, changes, step[int]{7, 1})
	expect(t, log, "accepted again")
	set(t, store, "n", "bad")
	expect(t, log, "is rejected")
	set(t, store, "other", "9")
	next(t, others, step[int]{8, 9}) // a bad key hides no other
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
	next(t, changes, step[int]{1, 2})
	set(t, store, "n", "bad")
	expect(t, log, "is rejected")
	remove(t, store, "n")
	next(t, changes, step[int]{2, 7})
	expect(t, log, "accepted again")
	if status := store.Status(); v.Err() != nil || status.Rejected != nil {
		t.Errorf("without the key: %v, %v", v.Err(), status.Rejected)
	}
}

// Versions that alter other keys bring no text, and neither does a text that was
// checked before it was sent.
func TestEachTextIsDecodedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		store, other := open(t, api), open(t, api)
		var decoded atomic.Int32
		v := typed.Bind(store, "n", typed.Codec[int]{
			Decode: func(text string) (int, error) { decoded.Add(1); return strconv.Atoi(text) },
			Encode: func(n int) (string, error) { return strconv.Itoa(n), nil },
		}, 0)
		for i := range 20 {
			text := strconv.Itoa(i)
			switch i % 3 {
			case 0:
				if err := v.Set(t.Context(), i); err != nil {
					t.Fatal(err)
				}
			case 1:
				set(t, other, "n", text)
			case 2:
				text = "bad"
				set(t, other, "n", text)
			}
			set(t, other, "unrelated", strconv.Itoa(i))
			synctest.Wait()
			v.Load()
			if n := decoded.Swap(0); n != 1 {
				t.Errorf("step %d: %q was decoded %d times", i, text, n)
			}
		}
	})
}

func TestABlockingCodecDelaysOnlyItsOwnValue(t *testing.T) {
	store := open(t, mapstoretest.NewAPI(t))
	entered, release := make(chan struct{}), make(chan struct{})
	enter := sync.OnceFunc(func() { close(entered) })
	blocked := typed.Bind(store, "n", typed.Codec[int]{Decode: func(text string) (int, error) {
		enter()
		<-release
		return strconv.Atoi(text)
	}}, -1)
	v := typed.Bind(store, "n", typed.Int[int](), 0)
	changes := steps(v)
	for i := 1; i < 20; i++ {
		set(t, store, "n", strconv.Itoa(i))
		next(t, changes, step[int]{i - 1, i})
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

// Whatever a codec does rejects a text of its own Value, and no more. The panic's
// text is nowhere, and a line in the log says where it was.
func TestWhateverACodecDoesRejectsTheText(t *testing.T) {
	const canary = "canary-4711"
	for name, decode := range map[string]func(string) (int, error){
		"fails":                      func(text string) (int, error) { return 0, fmt.Errorf("cannot parse %q", text) },
		"panics":                     func(text string) (int, error) { panic("cannot parse " + text) },
		"panics with an error":       func(text string) (int, error) { panic(fmt.Errorf("cannot parse %q", text)) },
		"panics with the runtime's":  func(text string) (int, error) { return int([]byte(text)[len(text)]), nil },
		"ends its goroutine":         func(string) (int, error) { runtime.Goexit(); return 0, nil },
		"fails after its validation": typed.Codec[int]{Decode: func(string) (int, error) { return 1, nil }}.Validate(func(int) error { return errors.New(canary) }).Decode,
	} {
		t.Run(name, func(t *testing.T) {
			store, log := listening(t, mapstoretest.NewAPI(t))
			v := typed.Bind(store, "n", typed.Codec[int]{Decode: func(text string) (int, error) {
				if text == "good" {
					return 2, nil
				}
				return decode(text)
			}}, 1)
			changes := steps(v)
			set(t, store, "n", canary)
			said := <-log
			if !strings.Contains(said, "is rejected") || !strings.Contains(said, `"key"="n"`) {
				t.Errorf("the log says %s", said)
			}
			err := v.Err()
			if !errors.Is(err, typed.ErrRejected) {
				t.Errorf("Err = %v", err)
			}
			said += fmt.Sprintf("%v %+v %#v %+v", err, err, err, store.Status())
			set(t, store, "n", "good")
			next(t, changes, step[int]{1, 2})
			if v.Err() != nil {
				t.Errorf("Err = %v", v.Err())
			}
			v.Close()
			store.Close()
			for len(log) > 0 {
				said += <-log
			}
			if strings.Contains(said, canary) {
				t.Errorf("the value is in: %s", said)
			}
			if panicked := strings.HasPrefix(name, "panics"); panicked != strings.Contains(said, "What decodes a value panicked") {
				t.Errorf("the log says %s", said)
			}
		})
	}
}

// An error whose text may quote the value is told by its type, and by what would
// have its text shown: in what is read as in what is written.
func TestARejectedValueHasAReasonThatQuotesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := open(t, mapstoretest.NewAPI(t))
		const canary = "canary-4711"
		unfit := errors.New("unfit: " + canary)
		v := typed.Bind(store, "k", typed.String[string]().Validate(func(text string) error {
			switch text {
			case "wrapped":
				return fmt.Errorf("wrapped: %w", unfit)
			case "known":
				return fmt.Errorf("%w: %w", typed.Reject("known to be bad"), unfit)
			}
			return unfit
		}), "")
		for text, want := range map[string]string{
			canary:    "an error of type *errors.errorString (Reject makes one whose text is shown)",
			"wrapped": "an error of type *fmt.wrapError (Reject makes one whose text is shown)",
			"known":   "known to be bad",
		} {
			set(t, store, "k", text)
			synctest.Wait()
			check := func(err error, want string) {
				t.Helper()
				rejected, ok := errors.AsType[*typed.RejectedError](err)
				if !ok || rejected.Name != "k" || rejected.Reason != want || !errors.Is(rejected.Cause, unfit) || !errors.Is(err, unfit) {
					t.Errorf("%#v, want %s", err, want)
				}
			}
			check(v.Err(), want)
			check(v.Set(t.Context(), text), "its encoding is rejected; "+want)
		}
		err := typed.Bind(store, "f", typed.JSON[func()](), nil).Set(t.Context(), func() {})
		if want := "it cannot be encoded; an error of type *json.UnsupportedTypeError"; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Set of what cannot be encoded: %v", err)
		}
	})
}

// A codec that returns one pointer again and again shows as what it is: the
// changes are those of the text.
func TestACodecThatReturnsOnePointer(t *testing.T) {
	store := open(t, mapstoretest.NewAPI(t))
	shared := new(int)
	v := typed.Bind(store, "p", typed.Codec[*int]{Decode: func(string) (*int, error) { return shared, nil }}, nil)
	changes := steps(v)
	set(t, store, "p", "a")
	next(t, changes, step[*int]{nil, shared})
	set(t, store, "p", "b")
	next(t, changes, step[*int]{shared, shared})
}

func TestLoadAllocatesNothing(t *testing.T) {
	v := typed.Bind(mapstoretest.NewStore(t, nil), "c", typed.JSON[server](), server{Name: "x"})
	if n := testing.AllocsPerRun(1000, func() { _ = v.Load() }); n != 0 {
		t.Errorf("Load allocates %v times", n)
	}
}
