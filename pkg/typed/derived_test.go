package typed_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
	"github.com/unrolled/mapstore/v2/pkg/typed"
)

type limits struct {
	Port int
	Wait time.Duration
	Host string
}

var usual = limits{80, time.Second, "here"}

var errUnfit = errors.New("the port and the host do not fit")

func deriveLimits(now mapstore.Reader) (limits, error) {
	port, err1 := typed.Int[int]().From(now, "port", 80)
	wait, err2 := typed.Duration().From(now, "wait", time.Second)
	host, err3 := typed.String[string]().From(now, "host", "here")
	if err := errors.Join(err1, err2, err3); err != nil {
		return limits{}, err
	}
	if port == 1 && host == "there" {
		return limits{}, errUnfit
	}
	return limits{port, wait, host}, nil
}

func TestADerivedFollowsTheWholeMap(t *testing.T) {
	store, start := unstarted(t, mapstoretest.NewAPI(t), mapstore.Options{})
	d := typed.Derive(store, deriveLimits)
	if d.Load() != usual || d.Err() != nil {
		t.Errorf("before the sync: %v, %v", d.Load(), d.Err())
	}
	changes := steps(d)
	start()
	if _, err := store.Update(t.Context(), func(tx *mapstore.Tx) error { tx.Set("port", "81"); tx.Set("wait", "5s"); return nil }); err != nil {
		t.Fatal(err)
	}
	next(t, changes, step[limits]{usual, limits{81, 5 * time.Second, "here"}}) // both at once
	set(t, store, "unrelated", "x")
	set(t, store, "port", "82")
	next(t, changes, step[limits]{limits{81, 5 * time.Second, "here"}, limits{82, 5 * time.Second, "here"}})
}

func TestARejectedKeyHidesNoOtherKey(t *testing.T) {
	store, log := listening(t, mapstoretest.NewAPI(t))
	set(t, store, "port", "81")
	d := typed.Derive(store, deriveLimits)
	changes := steps(d)
	next(t, changes, step[limits]{usual, limits{81, time.Second, "here"}})
	set(t, store, "port", "bad")
	expect(t, log, `port: not an integer`)
	set(t, store, "wait", "3s")
	next(t, changes, step[limits]{limits{81, time.Second, "here"}, limits{81, 3 * time.Second, "here"}})
	set(t, store, "wait", "bad, too")
	set(t, store, "host", "x")
	next(t, changes, step[limits]{limits{81, 3 * time.Second, "here"}, limits{81, 3 * time.Second, "x"}})
	if got := fmt.Sprint(store.Status().Rejected); got != "[port wait]" || !errors.Is(d.Err(), typed.ErrRejected) {
		t.Errorf("Status has %s, Err %v", got, d.Err())
	}
	set(t, store, "wait", "4s")
	next(t, changes, step[limits]{limits{81, 3 * time.Second, "x"}, limits{81, 4 * time.Second, "x"}})
	set(t, store, "port", "90")
	next(t, changes, step[limits]{limits{81, 4 * time.Second, "x"}, limits{90, 4 * time.Second, "x"}})
	expect(t, log, "accepted again")
	if got := store.Status().Rejected; got != nil || d.Err() != nil {
		t.Errorf("Status has %v, Err %v", got, d.Err())
	}
}

// A function that stops at the first key that is rejected is run once for each.
func TestAFunctionThatStopsAtTheFirstRejectedKey(t *testing.T) {
	store := open(t, mapstoretest.NewAPI(t))
	if _, err := store.Update(t.Context(), func(tx *mapstore.Tx) error { tx.Set("a", "x"); tx.Set("b", "x"); tx.Set("c", "5"); return nil }); err != nil {
		t.Fatal(err)
	}
	runs := 0
	d := typed.Derive(store, func(now mapstore.Reader) (sum int, err error) {
		runs++
		for _, key := range []string{"a", "b", "c"} {
			n, err := typed.Int[int]().From(now, key, 1)
			if err != nil {
				return 0, fmt.Errorf("wrapped: %w", err)
			}
			sum += n
		}
		return sum, nil
	})
	d.Close()
	if d.Load() != 7 || runs != 4 || !strings.Contains(d.Err().Error(), "a: ") || !strings.Contains(d.Err().Error(), "b: ") {
		t.Errorf("%d after %d runs, %v", d.Load(), runs, d.Err())
	}
}

func TestAVersionThatDoesNotFitTogetherIsRefusedAsAWhole(t *testing.T) {
	store, log := listening(t, mapstoretest.NewAPI(t))
	d := typed.Derive(store, deriveLimits)
	changes := steps(d)
	set(t, store, "port", "1")
	next(t, changes, step[limits]{usual, limits{1, time.Second, "here"}})
	set(t, store, "host", "there")
	expect(t, log, "is rejected")
	if err := d.Err(); d.Load() != (limits{1, time.Second, "here"}) || !errors.Is(err, errUnfit) || strings.Contains(err.Error(), errUnfit.Error()) {
		t.Errorf("%v, %v", d.Load(), err)
	}
	if got := fmt.Sprint(store.Status().Rejected); got != "[(typed_test.limits)]" {
		t.Errorf("Status has %s", got)
	}
	set(t, store, "port", "2")
	next(t, changes, step[limits]{limits{1, time.Second, "here"}, limits{2, time.Second, "there"}})
	d.Close()
	set(t, store, "port", "3")
	if d.Load().Port != 2 {
		t.Error("a closed Derived goes on")
	}
}

// A function that cannot do without a key complains of the map, not of the empty
// one from before the first sync.
func TestAFunctionThatRefusesTheEmptyMap(t *testing.T) {
	api := mapstoretest.NewAPI(t)
	api.ConfigMap("default", "settings").Put(nil)
	other := open(t, api)
	lines := make(chan string, 100)
	store, start := unstarted(t, api, mapstore.Options{Logger: listener(lines)})
	d := typed.Derive(store, func(now mapstore.Reader) (*limits, error) {
		if host, ok := now.Get("host"); ok {
			return &limits{Host: host}, nil
		}
		panic(typed.Reject("no host"))
	})
	if d.Load() != nil || d.Err() == nil || store.Status().Rejected != nil || len(lines) > 0 {
		t.Errorf("before the sync: %v, %v, %v", d.Load(), d.Err(), store.Status().Rejected)
	}
	start()
	expect(t, lines, "is rejected")
	changes := make(chan string, 10)
	d.OnChange(func(_, now *limits) { changes <- now.Host })
	set(t, other, "host", "a")
	next(t, changes, "a")
	held := d.Load()
	set(t, store, "unrelated", "x")
	set(t, store, "host", "b")
	next(t, changes, "b")
	if held.Host != "a" || d.Err() != nil {
		t.Errorf("%v, %v", held, d.Err())
	}
}
