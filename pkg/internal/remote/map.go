package remote

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	applycorev1 "k8s.io/client-go/applyconfigurations/core/v1"
	applymetav1 "k8s.io/client-go/applyconfigurations/meta/v1"
	"k8s.io/client-go/kubernetes"
	authorizationclientv1 "k8s.io/client-go/kubernetes/typed/authorization/v1"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/flowcontrol"
)

// A Map is one ConfigMap, which need not exist. A Map without a name stands for all
// ConfigMaps of its namespace that a selector matches; it can be listed and watched.
type Map struct {
	namespace, name string
	labels          labels.Selector // of a family and its members; else nil
	fieldManager    string
	client          kubernetes.Interface
	maps            typedcorev1.ConfigMapInterface
	reviews         authorizationclientv1.SelfSubjectAccessReviewInterface
	limiter         flowcontrol.RateLimiter // nil: there is none, or the client itself waits for it
	resends         bool                    // the client may send a write again by itself
	fake            bool                    // client-go's fake clientset, which knows no revisions
	traces          bool                    // the transport reports when it asks for a connection and when it has one

	calls   sync.WaitGroup // calls into the client, including those that nobody waits for
	fastest atomic.Int64   // nanoseconds; see Fastest

	mu      sync.Mutex // protects pending
	pending []*tracer  // of the requests that are under way, oldest first
}

// New returns the ConfigMap of that name. It does no I/O.
func New(client kubernetes.Interface, namespace, name, fieldManager string) *Map {
	m := &Map{namespace: namespace, name: name, fieldManager: fieldManager, client: client, resends: true}
	if set, ok := client.(*kubernetes.Clientset); ok {
		direct := set.CoreV1().RESTClient()
		m.traces = isTracing(direct)
		m.limiter = direct.GetRateLimiter()
		m.maps = typedcorev1.New(once{direct}).ConfigMaps(namespace)
		m.reviews = authorizationclientv1.New(once{set.AuthorizationV1().RESTClient()}).SelfSubjectAccessReviews()
		m.resends = false
	} else {
		none, ok := client.CoreV1().RESTClient().(*rest.RESTClient)
		m.fake = ok && none == nil
		m.maps = client.CoreV1().ConfigMaps(namespace)
		m.reviews = client.AuthorizationV1().SelfSubjectAccessReviews()
	}
	return m
}

// once is a client that does not wait for its rate limit, and sends each request once, so
// that every answer is seen.
type once struct{ rest.Interface }

func (c once) Patch(t types.PatchType) *rest.Request { return c.only(c.Interface.Patch(t)) }
func (c once) Post() *rest.Request                   { return c.only(c.Interface.Post()) }
func (c once) Put() *rest.Request                    { return c.only(c.Interface.Put()) }
func (c once) Get() *rest.Request                    { return c.only(c.Interface.Get()) }

func (once) only(r *rest.Request) *rest.Request { return r.MaxRetries(0).Throttle(nil) }

// Host returns the URL of the API server, without credentials; "" if the client does not
// tell.
func (m *Map) Host() string {
	direct, ok := m.client.CoreV1().RESTClient().(*rest.RESTClient)
	if !ok || direct == nil {
		return ""
	}
	server := direct.Get().AbsPath("/").URL()
	server.User = nil
	return strings.TrimSuffix(server.String(), "/")
}

// Namespace returns the ConfigMap's namespace.
func (m *Map) Namespace() string { return m.namespace }

// Name returns the ConfigMap's name.
func (m *Map) Name() string { return m.name }

// Calls returns the group of calls into the client that have not returned. A method may
// have returned before its call.
func (m *Map) Calls() *sync.WaitGroup { return &m.calls }

// Fastest returns the shortest time that a request has taken: what one takes that meets no
// crowd. It is zero while none has been answered.
func (m *Map) Fastest() time.Duration { return time.Duration(m.fastest.Load()) }

// Get reads the ConfigMap with a quorum read.
func (m *Map) Get(ctx context.Context, t Timeouts) (*corev1.ConfigMap, error) {
	object, err := call(ctx, m, t, m.limiter, func(ctx context.Context) (*corev1.ConfigMap, error) {
		return m.maps.Get(ctx, m.name, metav1.GetOptions{})
	})
	switch {
	case err != nil:
		return nil, err
	case !m.Is(object):
		return nil, errOtherObject
	case !m.Matches(object):
		return nil, apierrors.NewNotFound(corev1.Resource("configmaps"), m.name)
	}
	return object, nil
}

// List also reads the ConfigMap with a quorum read. If the ConfigMap does not exist, it
// returns the revision at which it does not, which Get cannot. The empty resource version
// asks for a consistent read: "0", which informers send, may be answered from a cache
// that lags.
func (m *Map) List(ctx context.Context, t Timeouts) (*corev1.ConfigMapList, error) {
	list, err := call(ctx, m, t, m.limiter, func(ctx context.Context) (*corev1.ConfigMapList, error) {
		return m.maps.List(ctx, m.selecting(metav1.ListOptions{}))
	})
	if err == nil && list.ResourceVersion == "" && !m.fake {
		err = errOtherObject
	}
	if err != nil {
		return nil, err
	}
	// A fake clientset ignores the selector.
	list.Items = slices.DeleteFunc(list.Items, func(item corev1.ConfigMap) bool { return !m.Is(&item) || !m.Matches(&item) })
	return list, nil
}

// Watch opens a watch, which ends with ctx at the latest. Some proxies begin to answer
// with the first event only. So Watch calls quiet, once for each connection at most, when
// the request was sent a second ago and is not answered; it goes on waiting.
func (m *Map) Watch(ctx context.Context, t Timeouts, options metav1.ListOptions, quiet func()) (apiwatch.Interface, error) {
	options = m.selecting(options)
	ctx, cancel := context.WithCancelCause(ctx)
	w, err := do(ctx, m, &tracer{m: m, timeouts: t, cancel: cancel, quiet: quiet}, m.limiter, func(ctx context.Context) (apiwatch.Interface, error) {
		return m.maps.Watch(ctx, options)
	})
	if err != nil {
		cancel(nil)
		return nil, err
	}
	return &stream{w, func() { cancel(nil) }}, nil
}

// A stream is a watch, and what to release when it ends.
type stream struct {
	apiwatch.Interface
	cancel func()
}

func (s *stream) Stop() {
	s.cancel()
	s.Interface.Stop()
}

// Create creates the ConfigMap with these labels, annotations and owner references, and no
// entries. It uses server-side apply, which RBAC can grant for one name; it cannot do so
// for a POST. At least one annotation is necessary: without any field of ours, a server
// would never track who manages the map's fields. The apply is not forced, so it meets a
// conflict if the map exists meanwhile and has the annotation. Create calls quiet as Update
// does.
//
// Of a family, Create returns [ErrOutside] if the ConfigMap exists and the selector does not
// match it: it belongs to somebody else then.
func (m *Map) Create(ctx context.Context, meta metav1.ObjectMeta, quiet func()) (*corev1.ConfigMap, Fate, error) {
	if m.labels != nil {
		if err := m.isOutside(ctx); errors.Is(err, ErrOutside) || IsDenied(err) {
			return nil, Rejected, err
		} else if err != nil {
			return nil, Declined, err
		}
	}
	wanted := applycorev1.ConfigMap(m.name, m.namespace).WithLabels(meta.Labels).WithAnnotations(meta.Annotations)
	for _, owner := range meta.OwnerReferences {
		wanted.WithOwnerReferences(&applymetav1.OwnerReferenceApplyConfiguration{
			APIVersion: &owner.APIVersion, Kind: &owner.Kind, Name: &owner.Name, UID: &owner.UID,
			Controller: owner.Controller, BlockOwnerDeletion: owner.BlockOwnerDeletion,
		})
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	created, err := do(ctx, m, &tracer{m: m, timeouts: forWrites, cancel: cancel, quiet: quiet}, m.limiter, func(ctx context.Context) (*corev1.ConfigMap, error) {
		created, err := m.maps.Apply(ctx, wanted, metav1.ApplyOptions{FieldManager: m.fieldManager})
		if !apierrors.IsNotFound(err) {
			return created, err
		}
		// Either the namespace does not exist, or this is client-go's older fake, which cannot apply.
		object := &corev1.ConfigMap{ObjectMeta: meta}
		object.Namespace, object.Name = m.namespace, m.name
		if posted, postErr := m.maps.Create(ctx, object, metav1.CreateOptions{FieldManager: m.fieldManager}); postErr == nil {
			return posted, nil
		}
		return nil, err
	})
	if err == nil && !m.Is(created) {
		err = errOtherObject
	}
	return created, fateOf(err), err
}

// Annotate sets one annotation, whatever version the ConfigMap has. It returns the
// version that has it.
func (m *Map) Annotate(ctx context.Context, annotation, value string) (*corev1.ConfigMap, error) {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{annotation: value}}})
	if err != nil {
		return nil, err
	}
	object, err := call(ctx, m, Once, m.limiter, func(ctx context.Context) (*corev1.ConfigMap, error) {
		return m.maps.Patch(ctx, m.name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: m.fieldManager})
	})
	if err == nil && !m.Is(object) {
		err = errOtherObject
	}
	return object, err
}

// ErrWithheld is returned by [Map.Update] when beforeSend returned false.
var ErrWithheld = errors.New("remote: the request was withheld")

// Update sends object, which must carry the resource version that it was computed from.
//
// It calls beforeSend just before the request is sent. That is later than when the client
// gets the request, which may first wait for the rate limit, credentials, a proxy and a
// connection. If beforeSend returns false, the request is not sent. If beforeSend was not
// called, no request was sent. It may be called several times, from other goroutines,
// until Update returns.
//
// It calls quiet when the request was sent a second ago, and as long as it may take to
// send, and is not answered. What quiet does ends with ctx.
func (m *Map) Update(ctx context.Context, object *corev1.ConfigMap, beforeSend func() bool, quiet func()) (*corev1.ConfigMap, Fate, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	g := &gate{allow: beforeSend}
	answer, err := do(ctx, m, &tracer{m: m, timeouts: forWrites, cancel: cancel, gate: g, sending: sendingTime(object.Size()), quiet: quiet}, m.limiter, func(ctx context.Context) (*corev1.ConfigMap, error) {
		if !m.traces && !g.pass() {
			return nil, ErrWithheld
		}
		return m.maps.Update(ctx, object, metav1.UpdateOptions{FieldManager: m.fieldManager})
	})
	if err == nil && (!m.Is(answer) || answer.UID != object.UID) {
		err = errOtherObject
	}
	fate := fateOf(err)
	sent, connections, withheld := g.close()
	switch {
	case withheld && sent == 0:
		return nil, Withheld, ErrWithheld
	case sent == 0 && fate == Unclear && !isAnswer(err) && !errors.Is(err, errOtherObject):
		fate = Unsent
	case connections > 0 && fate == Unsent, // there was a connection after all
		connections > 1 && fate != Applied && m.resends: // it was sent several times, and this answers the last
		fate = Unclear
	}
	return answer, fate, err
}

// May reports whether the caller has the right to verb the ConfigMap, such as to "get" it.
func (m *Map) May(ctx context.Context, verb string) (bool, error) {
	review, err := call(ctx, m, Once, m.limiter, func(ctx context.Context) (*authorizationv1.SelfSubjectAccessReview, error) {
		return m.reviews.Create(ctx, &authorizationv1.SelfSubjectAccessReview{
			Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
				Namespace: m.namespace,
				Verb:      verb,
				Resource:  "configmaps",
				Name:      m.name,
			}},
		}, metav1.CreateOptions{})
	})
	if err != nil {
		return false, err
	}
	return review.Status.Allowed, nil
}

// Is reports whether object is the ConfigMap, or one that could be of the family, at some
// revision. A proxy's own answer is
// not, nor are other objects that a fake clientset delivers. A fake may have no revisions.
func (m *Map) Is(object *corev1.ConfigMap) bool {
	return (object.Name == m.name || m.name == "") && object.Namespace == m.namespace && (object.ResourceVersion != "" || m.fake)
}

// errOtherObject says that an answer is not the ConfigMap, but a proxy's own page, for
// instance.
var errOtherObject = errors.New("the answer is not the ConfigMap that was asked for")

// HangUp closes idle connections, so that the next request makes a new one. The
// connection may be dead and not the server: client-go by itself would find that out
// after 45 seconds.
func (m *Map) HangUp() {
	if client, ok := m.client.CoreV1().RESTClient().(*rest.RESTClient); ok && client != nil && client.Client != nil {
		client.Client.CloseIdleConnections()
	}
}
