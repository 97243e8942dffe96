package remote

import (
	"context"
	"errors"
	"slices"
	"sync"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	applycorev1 "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/kubernetes"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/flowcontrol"
)

// A Map is one ConfigMap, which need not exist.
type Map struct {
	namespace, name string
	manager         string // of fields
	client          kubernetes.Interface
	maps            typedcorev1.ConfigMapInterface
	limiter         flowcontrol.RateLimiter // nil: none, or the client's own business
	resends         bool                    // the client may send a write again by itself; then it may also be a fake
	traces          bool                    // the transport tells when it asks for a connection, and has one

	calls sync.WaitGroup // into the client, those included that nobody waits for
}

// New returns a ConfigMap. It does no I/O.
func New(client kubernetes.Interface, namespace, name, fieldManager string) *Map {
	m := &Map{namespace: namespace, name: name, manager: fieldManager, client: client, resends: true}
	if set, ok := client.(*kubernetes.Clientset); ok {
		direct := set.CoreV1().RESTClient()
		m.traces = isTracing(direct)
		m.limiter = direct.GetRateLimiter()
		m.maps = typedcorev1.New(once{direct}).ConfigMaps(namespace)
		m.resends = false
	} else {
		m.maps = client.CoreV1().ConfigMaps(namespace)
	}
	return m
}

// once is a client that does not wait for its rate limit, and sends writes once.
type once struct{ rest.Interface }

func (c once) Patch(t types.PatchType) *rest.Request { return c.Interface.Patch(t).Throttle(nil) }
func (c once) Put() *rest.Request                    { return c.Interface.Put().MaxRetries(0).Throttle(nil) }
func (c once) Get() *rest.Request                    { return c.Interface.Get().Throttle(nil) }

// Namespace returns the ConfigMap's namespace.
func (m *Map) Namespace() string { return m.namespace }

// Name returns the ConfigMap's name.
func (m *Map) Name() string { return m.name }

// Calls returns the calls into the client that have not returned: those of methods
// that have may be among them.
func (m *Map) Calls() *sync.WaitGroup { return &m.calls }

// Get reads the ConfigMap with a quorum read.
func (m *Map) Get(ctx context.Context, t Timeouts) (*corev1.ConfigMap, error) {
	object, err := call(ctx, m, t, m.limiter, func(ctx context.Context) (*corev1.ConfigMap, error) {
		return m.maps.Get(ctx, m.name, metav1.GetOptions{})
	})
	if err == nil && !m.Is(object) {
		err = errAnother
	}
	if err != nil {
		return nil, err
	}
	return object, nil
}

// List reads the ConfigMap with a quorum read too; unlike Get it also tells the
// revision at which the ConfigMap does not exist. The empty resource version asks for
// consistency: "0", which informers send, may be served from a cache that lags.
func (m *Map) List(ctx context.Context, t Timeouts) (*corev1.ConfigMapList, error) {
	list, err := call(ctx, m, t, m.limiter, func(ctx context.Context) (*corev1.ConfigMapList, error) {
		return m.maps.List(ctx, metav1.ListOptions{FieldSelector: m.selector()})
	})
	if err == nil && list.ResourceVersion == "" && !m.resends {
		err = errAnother
	}
	if err != nil {
		return nil, err
	}
	// A fake clientset ignores the selector.
	list.Items = slices.DeleteFunc(list.Items, func(item corev1.ConfigMap) bool { return !m.Is(&item) })
	return list, nil
}

// Watch opens a watch, which lasts as long as ctx.
func (m *Map) Watch(ctx context.Context, t Timeouts, options metav1.ListOptions) (apiwatch.Interface, error) {
	options.FieldSelector = m.selector()
	ctx, cancel := context.WithCancelCause(ctx)
	w, err := do(ctx, m, &tracer{m: m, timeouts: t, cancel: cancel}, m.limiter, func(ctx context.Context) (apiwatch.Interface, error) {
		return m.maps.Watch(ctx, options)
	})
	if err != nil {
		cancel(nil)
		return nil, err
	}
	return &stream{w, func() { cancel(nil) }}, nil
}

// A stream is a watch with what has to be released at its end.
type stream struct {
	apiwatch.Interface
	cancel func()
}

func (s *stream) Stop() {
	s.cancel()
	s.Interface.Stop()
}

// Create creates the ConfigMap, without entries and with the annotation that is
// given. It applies it: RBAC can grant that for one name, which it cannot for a POST.
// The annotation is not only a beginning for later ones; without any field of ours, a
// server would never track who manages the map's fields. Not forced, the request meets
// a conflict where the map has come to exist and has the annotation.
func (m *Map) Create(ctx context.Context, annotation, value string) (*corev1.ConfigMap, Fate, error) {
	annotations := map[string]string{annotation: value}
	created, err := call(ctx, m, forWrites, m.limiter, func(ctx context.Context) (*corev1.ConfigMap, error) {
		created, err := m.maps.Apply(ctx, applycorev1.ConfigMap(m.name, m.namespace).WithAnnotations(annotations),
			metav1.ApplyOptions{FieldManager: m.manager})
		if !apierrors.IsNotFound(err) {
			return created, err
		}
		// There is no such namespace, or client-go's older fake, which cannot apply.
		object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: m.namespace, Name: m.name, Annotations: annotations}}
		if posted, postErr := m.maps.Create(ctx, object, metav1.CreateOptions{FieldManager: m.manager}); postErr == nil {
			return posted, nil
		}
		return nil, err
	})
	if err == nil && !m.Is(created) {
		err = errAnother
	}
	return created, fateOf(err), err
}

// ErrWithheld is what [Map.Update] returns when beforeSend has returned false.
var ErrWithheld = errors.New("remote: the request was withheld")

// Update sends object, which must carry the resource version that it was computed
// from. It calls beforeSend when the request is about to be sent, which is not when the
// client gets it: before that it waits for a rate limit, credentials, a proxy and a
// connection. When beforeSend returns false, the request is not sent. Without a call of
// beforeSend, none was. BeforeSend may be called several times, from other goroutines, until
// Update returns.
func (m *Map) Update(ctx context.Context, object *corev1.ConfigMap, beforeSend func() bool) (*corev1.ConfigMap, Fate, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	d := &gate{allow: beforeSend}
	answer, err := do(ctx, m, &tracer{m: m, timeouts: forWrites, cancel: cancel, gate: d}, m.limiter, func(ctx context.Context) (*corev1.ConfigMap, error) {
		if !m.traces && !d.pass() {
			return nil, ErrWithheld
		}
		return m.maps.Update(ctx, object, metav1.UpdateOptions{FieldManager: m.manager})
	})
	if err == nil && (!m.Is(answer) || answer.UID != object.UID) {
		err = errAnother
	}
	fate := fateOf(err)
	sent, connections, withheld := d.close()
	switch {
	case withheld && sent == 0:
		return nil, Withheld, ErrWithheld
	case sent == 0 && fate == Unclear && !isAnswer(err) && !errors.Is(err, errAnother):
		fate = Unsent
	case connections > 0 && fate == Unsent, // there was one after all
		connections > 1 && fate != Applied && m.resends: // it is the answer to the last of several
		fate = Unclear
	}
	return answer, fate, err
}

// May reports whether the caller has the right to do verb to the ConfigMap.
func (m *Map) May(ctx context.Context, verb string) (bool, error) {
	review, err := call(ctx, m, Once, nil, func(ctx context.Context) (*authorizationv1.SelfSubjectAccessReview, error) {
		return m.client.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, &authorizationv1.SelfSubjectAccessReview{
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

func (m *Map) selector() string {
	return fields.OneTermEqualSelector(metav1.ObjectNameField, m.name).String()
}

// Is reports whether object is the ConfigMap, at some revision: what a proxy says on
// its own, and what a fake clientset brings besides, is not. A fake may have no revisions.
func (m *Map) Is(object *corev1.ConfigMap) bool {
	return object.Name == m.name && object.Namespace == m.namespace && (object.ResourceVersion != "" || m.resends)
}

// errAnother is an answer that is not about the ConfigMap, such as a proxy's own page.
var errAnother = errors.New("the answer is not the ConfigMap that was asked for")

// HangUp closes the connections that nobody uses any more, so that the next request
// makes a new one. It may be the connection that is dead, not the server: client-go
// would find out by itself after 45 seconds.
func (m *Map) HangUp() {
	if client, ok := m.client.CoreV1().RESTClient().(*rest.RESTClient); ok && client != nil && client.Client != nil {
		client.Client.CloseIdleConnections()
	}
}
