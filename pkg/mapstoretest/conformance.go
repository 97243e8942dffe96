package mapstoretest

import (
	"context"
	"slices"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"
	clientv1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// A Cluster is the API server that [Conformance] tests.
type Cluster struct {
	// Config connects to the API server, as a user who may do everything with
	// ConfigMaps in Namespace. Its rate limit is not used.
	Config *rest.Config

	// Namespace is an existing namespace to which nobody else writes.
	Namespace string

	// Families says that the stores are those of families, one each.
	Families bool
}

// Conformance tests that an API server handles ConfigMaps as a store needs it, and
// that stores keep their promises on it. Each property is a subtest. It calls
// newCluster once, and may create and delete any ConfigMap in the namespace. The
// subtests can share one API server if each gets a namespace of its own.
//
// The API server in memory and kube-apiserver pass. Run it on any other server of
// the Kubernetes API, such as k3s on kine, before you use a store there:
//
//	func TestConformance(t *testing.T) {
//		mapstoretest.Conformance(t, func(t *testing.T) mapstoretest.Cluster {
//			return mapstoretest.Cluster{Config: config, Namespace: newNamespace(t)}
//		})
//	}
//
// It does not cover what needs control over the server, or minutes: outages,
// durability, compaction, bookmarks, rights.
func Conformance(t *testing.T, newCluster func(t *testing.T) Cluster) {
	for _, p := range slices.Concat(serverProperties(), []property{encodings}, promiseProperties, outcomeProperties, changeProperties) {
		t.Run(p.name, func(t *testing.T) {
			p.hold(newSuite(t, newCluster(t)))
		})
	}
}

// A property is one subtest. Its name says what holds.
type property struct {
	name string
	hold func(*suite)
}

// A suite is the state of one subtest.
type suite struct {
	*testing.T
	cluster Cluster
	client  *kubernetes.Clientset
	maps    clientv1.ConfigMapInterface
	outside *ConfigMap // the map that stores are for, as others see it
}

const suiteMap = "conformance"

func newSuite(t *testing.T, cluster Cluster) *suite {
	t.Helper()
	s := &suite{T: t, cluster: cluster}
	s.client = newClient(t, s.config())
	s.maps = s.client.CoreV1().ConfigMaps(cluster.Namespace)
	s.outside = outsider(t, s.config(), cluster.Namespace, suiteMap).Labelled(map[string]string{"family": suiteMap})
	return s
}

func (s *suite) config() *rest.Config {
	config := rest.CopyConfig(s.cluster.Config)
	config.QPS = -1
	return config
}

// limit bounds whatever a property waits for, on a slow machine under load.
const limit = time.Minute

func (s *suite) within() context.Context {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), limit)
	s.Cleanup(cancel)
	return ctx
}

// eventually waits until cond is true.
func (s *suite) eventually(what string, cond func() bool) {
	s.Helper()
	for ctx := s.within(); !cond(); time.Sleep(time.Millisecond) {
		if ctx.Err() != nil {
			s.Fatalf("not within %v: %s", limit, what)
		}
	}
}

// store runs a store with a client of its own, as another process would have.
func (s *suite) store() *mapstore.Store {
	s.Helper()
	return s.storeVia(s.config())
}

func (s *suite) storeVia(config *rest.Config) *mapstore.Store {
	s.Helper()
	client, opts := newClient(s.T, config), mapstore.Options{Namespace: s.cluster.Namespace}
	var store *mapstore.Store
	if s.cluster.Families {
		store = startFamily(s.T, client, "family="+suiteMap, opts).Store(suiteMap)
	} else {
		store = start(s.T, client, suiteMap, opts)
	}
	if err := store.WaitForSync(s.within()); err != nil {
		s.Fatal(err)
	}
	return store
}

// faulty returns a config whose requests meet failures, and what makes them.
func (s *suite) faulty() (*rest.Config, *API) {
	s.Helper()
	link := newLink(nil)
	s.Cleanup(link.close)
	config := s.config()
	config.Wrap(link.through)
	return config, &API{t: s.T, link: link}
}

// expect fails the test unless err is of a kind, such as apierrors.IsConflict.
func (s *suite) expect(what string, is func(error) bool, err error) {
	s.Helper()
	if !is(err) {
		s.Errorf("%s: the error is %.300v", what, err)
	}
}
