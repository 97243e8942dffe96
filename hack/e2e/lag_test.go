package e2e

import (
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/connrotation"

	"github.com/unrolled/mapstore/v2/hack/kube"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// Promise 2, and 8: behind a load balancer the next API server may be one whose
// watch cache is behind what the store has already seen.
func TestAnAPIServerThatLagsBehindIsNeverVisibleAsOlderData(t *testing.T) {
	t.Parallel()
	ahead := ownPlane(t)
	etcd, slow := newSlowPath(t, strings.TrimPrefix(ahead.EtcdURL(), "http://"))
	behind, err := kube.Start(t.Context(), kube.Options{EtcdURL: "http://" + etcd})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := behind.Stop(); err != nil {
			t.Error(err)
		}
	})
	s := newSiteOn(t, ahead)
	balancer := newBalancer(t, ahead.Config(), behind.Config())
	store := s.store(func(config *rest.Config, _ *mapstore.Options) {
		config.TLSClientConfig = rest.TLSClientConfig{}
		config.Transport = balancer
	})
	writer := s.store()
	f := newFollower(t)
	store.OnChange(f.take)

	const lag = time.Second
	slow(lag)
	var lagged, older atomic.Int64
	var wg sync.WaitGroup
	done := make(chan struct{})
	wg.Go(func() { // what a plain client sees there
		plain := clientFor(t, behind.Config()).CoreV1().ConfigMaps(s.namespace)
		for {
			select {
			case <-done:
				return
			case <-time.After(20 * time.Millisecond): // the rate of the plain client
			}
			seen := store.Snapshot().Revision()
			object, err := plain.Get(t.Context(), mapName, metav1.GetOptions{ResourceVersion: "0"})
			if err == nil && compare(t, object.ResourceVersion, seen) < 0 {
				lagged.Add(1)
			}
		}
	})
	wg.Go(func() {
		last := ""
		for {
			now := store.Snapshot().Revision()
			if last != "" && compare(t, now, last) < 0 {
				older.Add(1)
			}
			last = now
			select {
			case <-done:
				return
			case <-time.After(time.Millisecond): // the rate of the reader
			}
		}
	})
	for n := range 60 {
		s.set(writer, "n", strconv.Itoa(n))
		if n%20 == 10 {
			balancer.next()
			own := "own" + strconv.Itoa(n)
			s.set(store, own, "1") // by way of the one that lags, and back
			if _, ok := store.Get(own); !ok {
				t.Errorf("%s is not there after it was acknowledged", own)
			}
		}
	}
	s.waitForRevision(store, s.get().ResourceVersion)
	close(done)
	wg.Wait()
	if _, resets, _ := f.state(); resets != 0 {
		t.Errorf("%d Resets", resets)
	}
	if older.Load() > 0 {
		t.Errorf("the store went back in time %d times", older.Load())
	}
	if lagged.Load() == 0 {
		t.Error("the server never lagged: the test shows nothing")
	}
	t.Logf("a plain client was behind the store %d times", lagged.Load())
}

func compare(t *testing.T, a, b string) int {
	t.Helper()
	order, err := resourceversion.CompareResourceVersion(a, b)
	if err != nil {
		t.Error(err)
	}
	return order
}

// A balancer sends requests to one of several API servers, and can be told to
// go over to the next one, which breaks all connections.
type balancer struct {
	ends    []end
	current atomic.Int64
}

type end struct {
	host      string
	transport http.RoundTripper
	dialer    *connrotation.Dialer
}

func newBalancer(t *testing.T, configs ...*rest.Config) *balancer {
	t.Helper()
	b := &balancer{}
	for _, config := range configs {
		dialer := connrotation.NewDialer((&net.Dialer{Timeout: 10 * time.Second}).DialContext)
		config.Dial = dialer.DialContext
		transport, err := rest.TransportFor(config)
		if err != nil {
			t.Fatal(err)
		}
		b.ends = append(b.ends, end{strings.TrimPrefix(config.Host, "https://"), transport, dialer})
		t.Cleanup(dialer.CloseAll)
	}
	return b
}

func (b *balancer) next() {
	before := b.ends[b.current.Load()]
	b.current.Store((b.current.Load() + 1) % int64(len(b.ends)))
	before.dialer.CloseAll()
}

func (b *balancer) RoundTrip(request *http.Request) (*http.Response, error) {
	end := b.ends[b.current.Load()]
	request = request.Clone(request.Context())
	request.URL.Host = end.host
	return end.transport.RoundTrip(request)
}
