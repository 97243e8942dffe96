package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/unrolled/mapstore/v2/hack/e2e/checker"
	"github.com/unrolled/mapstore/v2/hack/e2e/rig"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// An actor is one goroutine.
type actor struct {
	client   *checker.Client
	outsider *checker.Outsider
	network  *rig.Network
	mix      mix
	pause    time.Duration // between two operations
}

// A mix is what actors do, and how often in relation to each other.
type mix []struct {
	weight int
	do     func(context.Context, *actor) error
}

func (m mix) pick() func(context.Context, *actor) error {
	total := 0
	for _, row := range m {
		total += row.weight
	}
	n := rand.IntN(total)
	for _, row := range m {
		if n -= row.weight; n < 0 {
			return row.do
		}
	}
	panic("unreachable")
}

func aKeyOf(prefix string) string { return prefix + strconv.Itoa(rand.IntN(6)) }

// aValueOrBytes returns a text, or now and then bytes that are not.
func aValueOrBytes() string {
	if rand.IntN(5) == 0 {
		return "\xff\x00" + strconv.Itoa(rand.IntN(1000))
	}
	return strconv.Itoa(rand.IntN(1000))
}

var storeMix = mix{
	{6, func(ctx context.Context, a *actor) error { return a.client.Update(ctx, rig.Increment(aKeyOf("n"))) }},
	{6, func(ctx context.Context, a *actor) error { return a.client.Update(ctx, swap()) }},
	{4, func(ctx context.Context, a *actor) error { return a.client.Update(ctx, rewrite()) }},
	{6, func(ctx context.Context, a *actor) error { return a.client.Set(ctx, aKeyOf("k"), aValueOrBytes()) }},
	{3, func(ctx context.Context, a *actor) error { return a.client.Delete(ctx, aKeyOf("k")) }},
	{1, func(ctx context.Context, a *actor) error { return a.client.Clear(ctx) }},
	{3, func(ctx context.Context, a *actor) error { return a.client.Sync(ctx) }},
	{2, func(ctx context.Context, a *actor) error { return a.client.Look(ctx) }},
	{2, func(ctx context.Context, a *actor) error { return a.refuses(ctx) }},
	{1, func(ctx context.Context, a *actor) error { return a.exceeds(ctx) }},
	{1, func(ctx context.Context, a *actor) error { return a.panics(ctx) }},
	{1, func(ctx context.Context, a *actor) error { return a.leaves(ctx) }},
	{2, func(ctx context.Context, a *actor) error {
		ctx, cancel := context.WithTimeout(ctx, time.Duration(rand.IntN(6000))*time.Microsecond)
		defer cancel()
		return a.client.Update(ctx, rig.Increment(aKeyOf("n")))
	}},
}

// swap exchanges the values of two keys, either of which may be absent.
func swap() func(*mapstore.Tx) error {
	one, other := aKeyOf("k"), aKeyOf("k")
	return func(tx *mapstore.Tx) error {
		x, hasX := tx.Get(one)
		y, hasY := tx.Get(other)
		put(tx, one, y, hasY)
		put(tx, other, x, hasX)
		return nil
	}
}

func put(tx *mapstore.Tx, key, value string, has bool) {
	if has {
		tx.Set(key, value)
	} else {
		tx.Delete(key)
	}
}

// rewrite clears the map, writes some of it again, and how much it was.
func rewrite() func(*mapstore.Tx) error {
	kept := aKeyOf("n")
	return func(tx *mapstore.Tx) error {
		value, has := tx.Get(kept)
		size := tx.Len()
		if size%3 == 0 {
			tx.Clear()
		}
		put(tx, kept, value, has)
		tx.Set("size", strconv.Itoa(size))
		tx.Set("keys", strconv.Itoa(len(tx.Keys())))
		return nil
	}
}

var errRefusal = errors.New("changed its mind")

// refuses returns an error from a function that has written: its own caller gets
// it, and nobody else.
func (a *actor) refuses(ctx context.Context) error {
	write := swap()
	err := a.client.Update(ctx, func(tx *mapstore.Tx) error { return errors.Join(write(tx), errRefusal) })
	return except(err, errRefusal)
}

// exceeds writes more than fits.
func (a *actor) exceeds(ctx context.Context) error {
	return except(a.client.Set(ctx, "big", strings.Repeat("v", 1<<20+1)), mapstore.ErrTooLarge)
}

// except returns nil in place of the error that an operation must end in.
func except(err, want error) error {
	switch {
	case errors.Is(err, want):
		return nil
	case err == nil:
		return fmt.Errorf("no error, want %w", want)
	default:
		return err
	}
}

// panics panics in a function that has written: its own caller does, and nobody else.
func (a *actor) panics(ctx context.Context) (err error) {
	defer func() {
		switch got := recover(); {
		case got == "on purpose":
			err = nil
		case got != nil:
			err = fmt.Errorf("Update panicked with %v", got)
		case err == nil:
			err = errors.New("Update returned though its function panicked")
		}
	}()
	return a.client.Update(ctx, func(tx *mapstore.Tx) error {
		tx.Set(aKeyOf("k"), "panicked")
		panic("on purpose")
	})
}

// leaves gives up when the request is under way that carries what it has written.
// A limit of time would end before, on a machine that has much else to do.
func (a *actor) leaves(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	write := swap()
	return a.client.Update(ctx, func(tx *mapstore.Tx) error {
		a.network.OnRequest(func(request *http.Request) (*http.Response, error) {
			if request.Method == http.MethodPut {
				cancel()
			}
			return nil, nil
		})
		return write(tx)
	})
}

var readMix = mix{
	{20, func(_ context.Context, a *actor) error { a.client.Read(); return nil }},
	{1, func(ctx context.Context, a *actor) error { return a.client.Sync(ctx) }},
}

var lookMix = mix{
	{1, func(ctx context.Context, a *actor) error { return a.client.Look(ctx) }},
}

// Subscriptions come and go.
var followMix = mix{
	{1, func(_ context.Context, a *actor) error {
		filters := []mapstore.Filter{mapstore.Prefix(aKeyOf("n")), mapstore.Keys(aKeyOf("k"), aKeyOf("k")), mapstore.Keys()}
		stop := a.client.Follow(filters[:rand.IntN(len(filters)+1)]...)
		time.Sleep(time.Duration(rand.IntN(100)) * time.Millisecond) // how long it lasts
		stop()
		return nil
	}},
}

// The watch lags behind what the store learns by its own requests.
var lagMix = mix{
	{1, func(_ context.Context, a *actor) error {
		time.Sleep(time.Duration(rand.IntN(60)) * time.Millisecond) // how long it does not
		a.network.Hold(true)
		time.Sleep(time.Duration(rand.IntN(60)) * time.Millisecond) // how long it does
		a.network.Hold(false)
		return nil
	}},
}

// What people do with kubectl: also to keys that stores write, and to the map
// itself.
var foreignMix = mix{
	{20, func(ctx context.Context, a *actor) error {
		return a.outsider.Patch(ctx, fmt.Sprintf(`{"data":{%q:"%d"}}`, aKeyOf("n"), rand.IntN(1000)))
	}},
	{10, func(ctx context.Context, a *actor) error {
		return a.outsider.Patch(ctx, fmt.Sprintf(`{"data":{%q:null,"foreign":"%d"}}`, aKeyOf("k"), rand.IntN(1000)))
	}},
	{10, func(ctx context.Context, a *actor) error {
		return a.outsider.Patch(ctx, fmt.Sprintf(`{"metadata":{"labels":{"foreign":"%d"}}}`, rand.IntN(1000)))
	}},
	{5, func(ctx context.Context, a *actor) error {
		return a.outsider.Edit(ctx, func(cm *corev1.ConfigMap) { delete(cm.Data, aKeyOf("n")) })
	}},
	{3, func(ctx context.Context, a *actor) error {
		return a.outsider.Replace(ctx, map[string]string{aKeyOf("n"): "1", aKeyOf("k"): "replaced"})
	}},
	{2, func(ctx context.Context, a *actor) error { return a.outsider.Delete(ctx) }},
	{2, func(ctx context.Context, a *actor) error { return a.outsider.Restore(ctx) }},
	{2, func(ctx context.Context, a *actor) error {
		return a.outsider.Recreate(ctx, map[string]string{aKeyOf("n"): "1", aKeyOf("k"): "recreated"})
	}},
}
