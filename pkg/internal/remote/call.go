package remote

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/util/flowcontrol"
)

// returnGrace is how long a call into the client may take to return once its ctx has
// ended. Most return at once. One that a credential plugin or a resolver blocks does
// not: then nobody waits for it any more.
const returnGrace = 20 * time.Millisecond

// An answer is what a call into the client returned.
type answer[T any] struct {
	value T
	err   error
}

// maxAttempts is how often [Once] asks a server that says when to come again.
const maxAttempts = 10

// call makes one request. For a caller who does not ask again, it asks a server that says
// when to come again. Client-go would do so too, but if ctx ends meanwhile, the answer
// would be lost.
func call[T any](ctx context.Context, m *Map, t Timeouts, limiter flowcontrol.RateLimiter, request func(context.Context) (T, error)) (T, error) {
	var last error // the answer to the attempt before
	for attempt := 1; ; attempt++ {
		value, err := callOnce(ctx, m, t, limiter, request)
		if last != nil && ctx.Err() != nil && !isAnswer(err) && err != nil {
			return value, fmt.Errorf("%w: %w", err, last)
		}
		seconds, again := apierrors.SuggestsClientDelay(err)
		if !again || t != Once || attempt == maxAttempts {
			return value, err
		}
		last = err
		timer := time.NewTimer(time.Duration(seconds) * time.Second)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return value, fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
	}
}

// callOnce makes one request with a ctx of its own, which ends when the request does.
func callOnce[T any](ctx context.Context, m *Map, t Timeouts, limiter flowcontrol.RateLimiter, request func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	return do(ctx, m, &tracer{m: m, timeouts: t, cancel: cancel}, limiter, request)
}

// do makes a request in a goroutine of its own, so that do can return while the client
// blocks. The tracer's cancel must be the one that ends ctx.
func do[T any](ctx context.Context, m *Map, t *tracer, limiter flowcontrol.RateLimiter, request func(context.Context) (T, error)) (T, error) {
	defer m.follow(t)()
	answers := make(chan answer[T], 1)
	m.calls.Go(func() {
		var a answer[T]
		if limiter == nil || throttle(ctx, t, limiter, &a.err) {
			began := time.Now()
			t.begin()
			if a.value, a.err = request(t.with(ctx)); a.err == nil {
				m.noteTime(time.Since(began))
			}
			t.end()
		}
		answers <- a
	})
	select {
	case a := <-answers:
		return a.value, t.explain(ctx, a.err)
	case <-ctx.Done():
	}
	timer := time.NewTimer(returnGrace)
	defer timer.Stop()
	select {
	case a := <-answers:
		return a.value, t.explain(ctx, a.err)
	case <-timer.C:
		m.calls.Go(func() { discard((<-answers).value) })
		var none T
		return none, t.explain(ctx, context.Cause(ctx))
	}
}

// noteTime notes how long a request took that succeeded.
func (m *Map) noteTime(took time.Duration) {
	for {
		fastest := m.fastest.Load()
		if fastest != 0 && int64(took) >= fastest || m.fastest.CompareAndSwap(fastest, max(int64(took), 1)) {
			return
		}
	}
}

// throttle waits for the client's rate limit, and reports whether the request may be sent.
func throttle(ctx context.Context, t *tracer, limiter flowcontrol.RateLimiter, err *error) bool {
	t.waitFor(ErrThrottled)
	if e := limiter.Wait(ctx); e != nil {
		*err = fmt.Errorf("%w: %w", ErrThrottled, e)
	}
	return *err == nil
}

// discard ends the watch, if any, in an answer that nobody waits for any more.
func discard(value any) {
	if w, ok := value.(interface{ Stop() }); ok && w != nil {
		w.Stop()
	}
}
