package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/unrolled/mapstore/v2/hack/e2e/rig"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// unsentRows are about what keeps a request in the client: nothing is sent, so nothing is
// of unknown outcome.
func unsentRows() []row {
	hold := [2]time.Duration{5 * time.Second, time.Second}
	return []row{
		{
			name: "a client whose rate limit others use up", spared: true, noLoss: true, flows: true, hold: hold,
			way:   func(_ *testbed, _ *member, config *rest.Config) error { config.QPS, config.Burst = 40, 40; return nil },
			fault: crowd,
		},
		plugin("fails", "echo broken >&2; exit 1", hold),
		plugin("hangs", "exec sleep 2", hold),
		refusingProxy(hold),
	}
}

// crowd lets others use the affected stores' clients.
func crowd(_ context.Context, b *testbed) (func(context.Context) error, error) {
	ctx, cancel := context.WithCancel(context.Background())
	var others sync.WaitGroup
	var requests atomic.Int64
	for _, m := range b.affected() {
		for range 4 {
			others.Go(func() {
				for ctx.Err() == nil {
					if _, err := m.http.CoreV1().ConfigMaps(b.namespace).Get(ctx, mapName, metav1.GetOptions{}); err == nil {
						requests.Add(1)
					}
				}
			})
		}
	}
	return func(ctx context.Context) error {
		err := rig.Until(ctx, rig.Patience, func() bool { return requests.Load() >= 80 }) // twice the burst
		cancel()
		others.Wait()
		b.note(fmt.Sprintf("%d requests of others", requests.Load()))
		return err
	}, nil
}

// plugin lets credentials come from a plugin, which is asked for each request, and does
// what the script says while the fault lasts.
func plugin(how, script string, hold [2]time.Duration) row {
	broken := func(b *testbed) string { return filepath.Join(os.TempDir(), b.namespace+".broken") }
	return row{
		name: "a credential plugin that " + how, spared: true, noLoss: true, user: userWithRights, hold: hold,
		fresh: freshWithin + 2*time.Second, // for a plugin that still sleeps
		way: func(b *testbed, m *member, config *rest.Config) error {
			token := config.BearerToken
			config.BearerToken = ""
			wrong := script
			if len(b.members) == storesPerRow-1 {
				wrong = ":" // the one that is spared
			}
			config.ExecProvider = &clientcmdapi.ExecConfig{
				Command: "sh", APIVersion: "client.authentication.k8s.io/v1", InteractiveMode: clientcmdapi.NeverExecInteractiveMode,
				Args: []string{"-c", fmt.Sprintf(`if [ -e %q ]; then %s; fi; echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential",`+
					`"status":{"token":%q,"expirationTimestamp":"2000-01-01T00:00:00Z"}}' # %s`, broken(b), wrong, token, m.name)},
			}
			return nil
		},
		fault: lasting(func(_ context.Context, b *testbed) error { return os.WriteFile(broken(b), nil, 0o600) },
			func(_ context.Context, b *testbed) error { return os.Remove(broken(b)) }),
		during: expectWriteErr(func(error) bool { return true }),
	}
}

// refusingProxy lets each store connect through a proxy, which refuses while the fault
// lasts.
func refusingProxy(hold [2]time.Duration) row {
	var refuses atomic.Bool
	var refused atomic.Int64
	return row{
		name: "a proxy that refuses", spared: true, hold: hold, cuts: true, notice: killNoticedWithin, during: expectUnsent,
		way: func(b *testbed, _ *member, config *rest.Config) error {
			isSpared := len(b.members) == storesPerRow-1
			proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if refuses.Load() && !isSpared {
					refused.Add(1)
					http.Error(w, "", http.StatusBadGateway)
					return
				}
				tunnel(w, r)
			}))
			b.onClose(proxy.Close)
			address, err := url.Parse(proxy.URL)
			config.Proxy = http.ProxyURL(address)
			return err
		},
		fault: lasting(func(ctx context.Context, b *testbed) error {
			refuses.Store(true)
			return each(func(m *member) { m.http.Cut() })(ctx, b)
		}, func(context.Context, *testbed) error { refuses.Store(false); return nil }),
		proof: proof{"connections refused", func(*testbed) int64 { return refused.Load() }, 3},
	}
}

// expectUnsent expects that a write which begins while the fault lasts is not of unknown
// outcome, as it never gets a connection. One that was in flight when its connection was
// cut may be: its answer is lost, and others may commit more than a ledger holds before
// its store can read again.
func expectUnsent(ctx context.Context, b *testbed) error {
	for _, m := range b.affected() {
		soon, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
		err := m.client.Set(soon, "slot-0", "never")
		cancel()
		if err == nil || errors.Is(err, mapstore.ErrUnknownOutcome) {
			return fmt.Errorf("a Set of store %s while the fault lasts: %w", m.name, err)
		}
	}
	return nil
}

// tunnel carries a connection to where CONNECT asks for, until either end closes it.
func tunnel(w http.ResponseWriter, r *http.Request) {
	far, err := net.DialTimeout("tcp", r.Host, 10*time.Second) //nolint:gosec // it is a proxy
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer far.Close()
	near, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer near.Close()
	if _, err := io.WriteString(near, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	var up sync.WaitGroup
	up.Go(func() {
		_, _ = io.Copy(far, near)
		far.Close()
	})
	_, _ = io.Copy(near, far)
	near.Close()
	up.Wait()
}
