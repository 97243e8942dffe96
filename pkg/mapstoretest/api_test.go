package mapstoretest_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/unrolled/mapstore/v2/pkg/internal/leak"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
)

func TestNamespacesAreSeparateAndListedTogether(t *testing.T) {
	api := mapstoretest.NewAPI(t)
	api.ConfigMap("a", "settings").Set("k", "of a")
	api.ConfigMap("b", "settings").Set("k", "of b")
	store := api.Open(t, "settings", mapstore.Options{Namespace: "b"})
	if got, _ := store.Get("k"); got != "of b" {
		t.Errorf("k = %q", got)
	}
	all, err := api.Client().CoreV1().ConfigMaps(metav1.NamespaceAll).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(all.Items) != 2 || all.Items[0].Namespace != "a" {
		t.Errorf("%v, %v", all, err)
	}
}

func TestOthersWriteAnythingAndSeeWhatIsThere(t *testing.T) {
	api := mapstoretest.NewAPI(t)
	api.Fail(mapstoretest.Refused()) // of which they know nothing
	settings := api.ConfigMap("default", "settings")
	if settings.Get() != nil || len(settings.Values()) != 0 {
		t.Error("there is a map at first")
	}
	settings.Delete() // of what is not there
	settings.Set("text", "ü")
	settings.Set("bytes", "\xff")
	if values := settings.Values(); len(values) != 2 || values["text"] != "ü" || values["bytes"] != "\xff" {
		t.Errorf("values %q", values)
	}
	settings.Set("bytes", "now text")
	object := settings.Edit(func(o *corev1.ConfigMap) { o.Labels = map[string]string{"l": "1"} })
	if len(object.BinaryData) != 0 || object.Data["bytes"] != "now text" || object.Labels["l"] != "1" {
		t.Errorf("object %v", object)
	}
	settings.Put(map[string]string{"only": "1"})
	if object := settings.Get(); len(object.Data) != 1 || object.Labels["l"] != "1" {
		t.Errorf("object %v", object)
	}
	settings.Delete()
	if settings.Get() != nil {
		t.Error("the map is still there")
	}
}

func TestWhatIsNotServedIsNamed(t *testing.T) {
	client := mapstoretest.NewAPI(t).Client()
	_, list := client.CoreV1().Secrets("ns").List(t.Context(), metav1.ListOptions{})
	_, get := client.AppsV1().Deployments("ns").Get(t.Context(), "web", metav1.GetOptions{})
	for path, err := range map[string]error{
		"/api/v1/namespaces/ns/secrets":               list,
		"/apis/apps/v1/namespaces/ns/deployments/web": get,
		"/healthz": client.CoreV1().RESTClient().Get().AbsPath("/healthz").Do(t.Context()).Error(),
	} {
		want := "the server could not find the requested resource: only ConfigMaps and SelfSubjectAccessReviews are served here, not " + path
		if !apierrors.IsNotFound(err) || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestNothingIsLeftOfATest(t *testing.T) {
	t.Run("a test", func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		api.Open(t, "settings", mapstore.Options{})
		go api.Client().CoreV1().ConfigMaps("default").Get(t.Context(), "settings", metav1.GetOptions{}) //nolint:errcheck // hangs or is refused
		api.Fail(mapstoretest.Hang())
	})
	if code := leak.Check(0); code != 0 {
		t.Error("goroutines are left")
	}
}
