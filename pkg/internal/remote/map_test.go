package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/unrolled/mapstore/v2/pkg/internal/memapi"
)

// A server is an API server that counts the writes that arrive.
type server struct {
	*httptest.Server
	puts   atomic.Int32
	answer http.HandlerFunc // to PUTs; nil: the API server's
}

func newServer(t *testing.T, answer http.HandlerFunc) *server {
	s := &server{answer: answer}
	api := &memapi.Server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			s.puts.Add(1)
			if s.answer != nil {
				s.answer(w, r)
				return
			}
		}
		api.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *server) config() *rest.Config { return &rest.Config{Host: s.URL, QPS: -1} }

func open(t *testing.T, config *rest.Config) *Map {
	t.Helper()
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	m := New(client, "ns", "settings", "tests")
	t.Cleanup(m.Calls().Wait)
	return m
}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func object() *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "settings", ResourceVersion: "1"}}
}

// put sends an Update, and returns how often it allowed, and how long it took beyond
// its ctx.
func put(t *testing.T, ctx context.Context, m *Map) (fate Fate, allowed int32, late time.Duration, err error) {
	t.Helper()
	var n atomic.Int32
	_, fate, err = m.Update(ctx, object(), func() bool { n.Add(1); return true }, nil)
	if deadline, ok := ctx.Deadline(); ok {
		late = time.Since(deadline)
	}
	return fate, n.Load(), late, err
}

func create(t *testing.T, s *server) *corev1.ConfigMap {
	t.Helper()
	object, fate, err := open(t, s.config()).Create(t.Context(), metav1.ObjectMeta{Annotations: map[string]string{"a": "b"}}, nil)
	if fate != Applied {
		t.Fatal(fate, err)
	}
	return object
}

// What waits in the client, or on the way to a connection, was not sent.
func TestARequestThatGetsNoConnectionIsUnsent(t *testing.T) {
	s := newServer(t, nil)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "", http.StatusBadGateway) }))
	t.Cleanup(proxy.Close)
	throttled := s.config()
	throttled.QPS, throttled.Burst = 0.001, 1
	behindProxy := s.config()
	behindProxy.Host = "https://" + strings.TrimPrefix(s.URL, "http://")
	behindProxy.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse(proxy.URL) }
	unreachable := s.config()
	unreachable.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() }
	for name, row := range map[string]struct {
		config *rest.Config
		limit  time.Duration // of its ctx
		text   string
	}{
		"the client's rate limit":    {throttled, 100 * time.Millisecond, "QPS"},
		"a proxy that refuses":       {behindProxy, time.Minute, "Bad Gateway"},
		"a network that drops SYNs":  {unreachable, 100 * time.Millisecond, "waiting for a connection"},
		"a plugin that fails":        {withPlugin(s.config(), "exit 1"), time.Minute, "getting credentials"},
		"a plugin that takes longer": {withPlugin(s.config(), "sleep 1"), 100 * time.Millisecond, "waiting for credentials"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := open(t, row.config)
			if row.config == throttled {
				_, _ = m.Get(t.Context(), Once) // takes the one request that is allowed
			}
			fate, allowed, late, err := put(t, within(t, row.limit), m)
			if fate != Unsent || allowed != 0 || late > 500*time.Millisecond {
				t.Errorf("fate %v, allowed %d times, %v after its ctx has ended", fate, allowed, late)
			}
			if err == nil || !strings.Contains(err.Error(), row.text) {
				t.Errorf("%v; want a word on %s", err, row.text)
			}
			m.Calls().Wait()
			if n := s.puts.Load(); n != 0 {
				t.Errorf("%d requests have arrived", n)
			}
		})
	}
}

// withPlugin makes credentials come from a shell command. Client-go remembers what a
// command has said, so each is another one.
func withPlugin(config *rest.Config, script string) *rest.Config {
	script = fmt.Sprintf("%s; : %d", script, plugins.Add(1))
	config.ExecProvider = &clientcmdapi.ExecConfig{
		Command: "sh", Args: []string{"-c", script}, APIVersion: "client.authentication.k8s.io/v1", InteractiveMode: clientcmdapi.NeverExecInteractiveMode,
	}
	return config
}

// Each answer is the answer to the one request that was sent.
func TestAnAnswerIsTheFateOfTheRequest(t *testing.T) {
	status := func(code int, headers ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			for _, h := range headers {
				w.Header().Set("Retry-After", h)
			}
			w.WriteHeader(code)
			_, _ = fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","code":%d}`, code)
		}
	}
	fails := func(code int, message string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(code)
			_, _ = fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"InternalError","code":%d,"message":"%s"}`, code, message)
		}
	}
	says := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, body)
		}
	}
	for name, row := range map[string]struct {
		answer http.HandlerFunc
		fate   Fate
	}{
		"409":                            {status(http.StatusConflict), Conflict},
		"404":                            {status(http.StatusNotFound), Conflict},
		"403":                            {status(http.StatusForbidden), Rejected},
		"422":                            {status(http.StatusUnprocessableEntity), Rejected},
		"413":                            {status(http.StatusRequestEntityTooLarge), Rejected},
		"408":                            {status(http.StatusRequestTimeout), Unclear},
		"429":                            {status(http.StatusTooManyRequests), Declined},
		"429 with Retry-After":           {status(http.StatusTooManyRequests, "1"), Declined},
		"500":                            {status(http.StatusInternalServerError), Unclear},
		"500, a webhook that is down":    {fails(http.StatusInternalServerError, `Internal error occurred: failed calling webhook \"x\": no endpoints`), Declined},
		"500, an etcd that is full":      {fails(http.StatusInternalServerError, "etcdserver: mvcc: database space exceeded"), Declined},
		"500, an etcd that is slow":      {fails(http.StatusInternalServerError, "etcdserver: request timed out"), Unclear},
		"500, a webhook that says no":    {fails(http.StatusInternalServerError, `admission webhook \"x\" denied the request: no`), Rejected},
		"500, one that talks of another": {fails(http.StatusInternalServerError, `panic after: failed calling webhook \"x\"`), Unclear},
		"503 with Retry-After":           {status(http.StatusServiceUnavailable, "1"), Unclear},
		"a proxy's page":                 {says(`{"status":"maintenance"}`), Unclear},
		"nothing":                        {says(`{}`), Unclear},
		"another map":                    {says(`{"kind":"ConfigMap","apiVersion":"v1","metadata":{"namespace":"ns","name":"other","resourceVersion":"2"}}`), Unclear},
		"no resource version":            {says(`{"kind":"ConfigMap","apiVersion":"v1","metadata":{"namespace":"ns","name":"settings"}}`), Unclear},
		"a connection that breaks":       {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, Unclear},
		"one that it was not asked for":  {says(`{"kind":"Status","apiVersion":"v1","status":"Success"}`), Unclear},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, row.answer)
			fate, allowed, _, err := put(t, t.Context(), open(t, s.config()))
			if fate != row.fate || allowed != 1 || s.puts.Load() != 1 {
				t.Errorf("fate %v (%v), allowed %d times, and %d requests have arrived; want %v and one", fate, err, allowed, s.puts.Load(), row.fate)
			}
		})
	}
}

// The last moment at which a request can be withheld is when it has a connection.
func TestAWithheldRequestDoesNotArrive(t *testing.T) {
	s := newServer(t, nil)
	created := create(t, s)
	m := open(t, s.config())
	for range 3 {
		if _, fate, err := m.Update(t.Context(), created, func() bool { return false }, nil); fate != Withheld || !errors.Is(err, ErrWithheld) {
			t.Errorf("%v, %v", fate, err)
		}
	}
	if n := s.puts.Load(); n != 0 {
		t.Errorf("%d requests have arrived", n)
	}
	if _, fate, err := m.Update(t.Context(), created, func() bool { return true }, nil); fate != Applied {
		t.Errorf("the next one: %v, %v", fate, err)
	}
}

// A plugin knows no ctx. Who waits for it is gone when it returns, and then nothing is
// sent any more.
func TestWhatWasLeftIsNotSentLater(t *testing.T) {
	s := newServer(t, nil)
	m := open(t, withPlugin(s.config(), `sleep 0.3; echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"t"}}'`))
	if fate, _, late, err := put(t, within(t, 50*time.Millisecond), m); fate != Unsent || late > 200*time.Millisecond {
		t.Errorf("%v, %v, %v late", fate, err, late)
	}
	m.Calls().Wait()
	if n := s.puts.Load(); n != 0 {
		t.Errorf("%d requests have arrived", n)
	}
	if _, err := m.Get(t.Context(), Once); err == nil || strings.Contains(err.Error(), "credentials") {
		t.Errorf("the plugin has done its work, and yet: %v", err) // there is no such map
	}
}

// Of a client that is not known, a request counts as sent as soon as the client has it.
func TestWhatAnUnknownClientHasCountsAsSent(t *testing.T) {
	m := New(fake.NewClientset(), "ns", "settings", "tests")
	if fate, allowed, _, err := put(t, t.Context(), m); allowed != 1 || fate != Conflict { // there is no such map
		t.Errorf("a fake: %v, %v, allowed %d times", fate, err, allowed)
	}
	config := &rest.Config{Host: "http://nowhere", QPS: -1, Transport: roundTripper(func(*http.Request) (*http.Response, error) {
		return nil, errors.New("connection reset")
	})}
	if fate, allowed, _, err := put(t, t.Context(), open(t, config)); allowed != 1 || fate != Unclear {
		t.Errorf("a transport of one's own: %v, %v, allowed %d times", fate, err, allowed)
	}
}

var plugins atomic.Int32

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Silence is bounded, and nothing else: neither the wait for a rate limit nor a transfer
// that takes its time.
func TestOnlySilenceIsBounded(t *testing.T) {
	for name, row := range map[string]struct {
		qps                       float32
		connect, silent, transfer time.Duration
		err                       error
	}{
		"a slow link":        {qps: -1, transfer: 150 * time.Second},
		"a rate limit":       {qps: 0.05},
		"a silent server":    {qps: -1, silent: time.Minute, err: errSilent},
		"no connection":      {qps: -1, connect: time.Minute, err: errUnreachable},
		"an answer for ever": {qps: -1, transfer: time.Hour, err: errSlow},
		"a little of it all": {qps: -1, connect: 1900 * time.Millisecond, silent: 4900 * time.Millisecond, transfer: 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				pause := func(ctx context.Context, d time.Duration) error {
					select {
					case <-time.After(d):
						return nil
					case <-ctx.Done():
						return ctx.Err()
					}
				}
				config := &rest.Config{Host: "http://nowhere", QPS: row.qps, Burst: 1}
				config.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
					trace := httptrace.ContextClientTrace(r.Context())
					trace.GetConn("nowhere")
					if err := pause(r.Context(), row.connect); err != nil {
						return nil, err
					}
					trace.GotConn(httptrace.GotConnInfo{})
					if err := pause(r.Context(), row.silent); err != nil {
						return nil, err
					}
					trace.GotFirstResponseByte()
					if err := pause(r.Context(), row.transfer); err != nil {
						return nil, err
					}
					body := `{"kind":"ConfigMap","apiVersion":"v1","metadata":{"namespace":"ns","name":"settings","resourceVersion":"2"}}`
					return &http.Response{
						StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
						Body: io.NopCloser(strings.NewReader(body)), Request: r,
					}, nil
				})
				m := open(t, config)
				for range 2 { // the second one meets the limit
					if _, err := m.Get(t.Context(), Again); !errors.Is(err, row.err) {
						t.Fatalf("%v, want %v", err, row.err)
					}
				}
			})
		})
	}
}
