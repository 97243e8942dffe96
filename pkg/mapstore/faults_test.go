package mapstore_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
)

func TestCloseEndsWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api, store := started(t)
		api.Fail(mapstoretest.Hang(), "get", "list")
		release := make(chan struct{})
		ended := make(chan error, 2)
		go func() {
			_, err := store.Sync(t.Context())
			ended <- err
		}()
		go func() {
			_, err := store.Update(t.Context(), func(*mapstore.Tx) error { <-release; return nil })
			ended <- err
		}()
		synctest.Wait() // the server hangs, and so does the function
		began := time.Now()
		store.Close()
		close(release)
		for range 2 {
			if err := <-ended; !errors.Is(err, mapstore.ErrClosed) {
				t.Errorf("%v, want ErrClosed", err)
			}
		}
		if took := time.Since(began); took > 0 {
			t.Errorf("Close has waited %v for them", took)
		}
	})
}

// The revision of an absent map is the cluster's. The watch does not bring it, and
// the server may have to be asked more than once; what has not come there either is
// still waited for, as only other objects may bring it.
func TestWaitForAsksUntilItIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		store := api.Open(t, "settings", mapstore.Options{})
		later := api.ConfigMap("default", "other").Set("k", "v").ResourceVersion
		failure := api.FailNext(3, mapstoretest.Answer(apierrors.NewInternalError(errors.New("for a moment"))), "list")
		began := time.Now()
		now, err := store.WaitFor(within(t, time.Minute), later)
		if err != nil || now.Exists() {
			t.Errorf("WaitFor: %v, %v", now, err)
		}
		if took := time.Since(began); failure.Met() != 3 || took > 2*time.Second {
			t.Errorf("it took %v, and %d answers of the server", took, failure.Met())
		}
		if now, err := store.WaitFor(within(t, time.Minute), "1000"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("WaitFor what is yet to come: %v, %v", now, err)
		}
		time.AfterFunc(3*time.Second, func() {
			for i := range 1000 {
				api.ConfigMap("default", "other").Set("k", strconv.Itoa(i))
			}
		})
		if _, err := store.WaitFor(within(t, 10*time.Second), "1000"); err != nil {
			t.Errorf("WaitFor what another object brings some time later: %v", err)
		}
	})
}

// A restored server may have come to the same revision on another way.
func TestAnotherHistoryOfTheSameRevisionIsAReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api, store := started(t)
		settings := api.ConfigMap("default", "settings")
		resets := 0
		store.OnChange(func(change mapstore.Change) {
			if change.Reset {
				resets++
			}
		})
		backup := add(t, store).Revision()
		seen := add(t, store).Revision()
		synctest.Wait() // the first Change is no Reset
		outage := api.Fail(mapstoretest.Refused())
		api.Rewind(backup)
		if again := settings.Set("foreign", "1").ResourceVersion; again != seen {
			t.Fatalf("revision %s, want %s again", again, seen)
		}
		outage.End()
		now, err := store.Sync(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if foreign, _ := now.Get("foreign"); foreign != "1" || resets != 1 {
			t.Errorf("%d resets, and the map is %v", resets, now)
		}
		if n, _ := add(t, store).Get("n"); n != "2" || resets != 1 {
			t.Errorf("n = %s in the end, after %d resets", n, resets)
		}
	})
}

// A watch that brings nothing, not even bookmarks, is opened anew before the copy counts
// as stale; if that brings nothing either, it does.
func TestASilentServerMakesTheCopyStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		store := api.Open(t, "settings", mapstore.Options{StaleAfter: 10 * time.Second, MaxBackoff: 200 * time.Millisecond})
		for range 100 {
			time.Sleep(time.Second)
			if err := store.Check(nil); err != nil {
				t.Errorf("a silent watch is not opened anew in time: %v", err)
			}
		}
		if n := store.Stats().Reconnects; n < 10 {
			t.Errorf("%d times in 100 s", n)
		}
		hang := api.Fail(mapstoretest.Hang())
		time.Sleep(10*time.Second + time.Millisecond)
		if err := store.Check(nil); err == nil {
			t.Error("Check says nothing of the silence")
		}
		hang.End()
		time.Sleep(time.Second)
		if err := store.Check(nil); err != nil {
			t.Errorf("when it is over: %v", err)
		}
	})
}

func TestReconnectingStaysWithinMaxBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		store := api.Open(t, "settings", mapstore.Options{MaxBackoff: 20 * time.Millisecond})
		outage := api.Fail(mapstoretest.Refused(), "get", "list", "watch")
		time.Sleep(10 * time.Second)
		if n := outage.Met(); n < 10*50 || n > 10*1000 { // a delay is drawn anew, from half of the cap on
			t.Errorf("%d attempts to reconnect in 10 s", n)
		}
		outage.End()
		time.Sleep(21 * time.Millisecond)
		if err := store.Check(nil); err != nil {
			t.Errorf("one backoff after the outage: %v", err)
		}
	})
}

// A proxy that ends each watch right after its first bookmark is not asked again as fast as
// it answers, and the copy stays current.
func TestWatchesThatEndAtOnceAreOpenedLessAndLess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		api.ConfigMap("default", "settings").Set("k", "1")
		config, watches := api.Config(), new(atomic.Int64)
		config.Wrap(func(next http.RoundTripper) http.RoundTripper {
			return roundTripper(func(r *http.Request) (*http.Response, error) {
				if !r.URL.Query().Has("watch") {
					return next.RoundTrip(r)
				}
				watches.Add(1)
				bookmark := `{"type":"BOOKMARK","object":{"kind":"ConfigMap","apiVersion":"v1","metadata":{"resourceVersion":"` + r.URL.Query().Get("resourceVersion") + `"}}}`
				return &http.Response{
					StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
					Body: io.NopCloser(strings.NewReader(bookmark)), Request: r,
				}, nil
			})
		})
		store := running(t, config)
		time.Sleep(time.Minute)
		if n := watches.Load(); n < 20 || n > 120 {
			t.Errorf("%d watches within a minute", n)
		}
		api.ConfigMap("default", "settings").Set("k", "2")
		time.Sleep(3 * time.Second)
		if v, _ := store.Get("k"); v != "2" {
			t.Errorf("three seconds after a change the copy has %q", v)
		}
	})
}
