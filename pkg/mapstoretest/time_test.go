package mapstoretest_test

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"

	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
)

func TestAWatchGetsABookmarkEachMinuteAndEndsAfterItsTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		settings := api.ConfigMap("default", "settings")
		w, err := api.Client().CoreV1().ConfigMaps("default").Watch(t.Context(), metav1.ListOptions{
			ResourceVersion: settings.Set("k", "v").ResourceVersion, AllowWatchBookmarks: true, TimeoutSeconds: new(int64(150)),
		})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		later := api.ConfigMap("elsewhere", "other").Set("k", "v").ResourceVersion
		for n := range 2 {
			e := <-w.ResultChan()
			mark, _ := e.Object.(*corev1.ConfigMap)
			if e.Type != apiwatch.Bookmark || time.Since(start) != time.Duration(n+1)*time.Minute || mark.ResourceVersion != later {
				t.Errorf("after %v: %+v, want a bookmark at %s", time.Since(start), e, later)
			}
		}
		if e, open := <-w.ResultChan(); open || time.Since(start) != 150*time.Second {
			t.Errorf("after %v: %+v, want the end", time.Since(start), e)
		}
	})
}

func TestAWatchWithoutATimeoutEndsToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		w, err := api.Client().CoreV1().ConfigMaps("default").Watch(t.Context(), metav1.ListOptions{ResourceVersion: "1"})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if _, open := <-w.ResultChan(); open || time.Since(start) != 30*time.Minute {
			t.Errorf("it went on for %v", time.Since(start))
		}
	})
}

// The rate limit of a client, by default 5 requests a second, and Retry-After are
// kept by client-go in the bubble's time.
func TestRateLimitsAndRetryAfterTakeTheBubblesTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		config := api.Config()
		config.QPS, config.Burst = 5, 10
		client, err := kubernetes.NewForConfig(config)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		for i := range 20 {
			object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "map-" + strconv.Itoa(i)}}
			if _, err := client.CoreV1().ConfigMaps("default").Create(t.Context(), object, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(start).Round(100 * time.Millisecond); took != 2*time.Second {
			t.Errorf("20 requests took %v", took)
		}
		start = time.Now()
		busy := api.FailNext(1, mapstoretest.Answer(apierrors.NewTooManyRequests("busy", 3)))
		_, err = client.CoreV1().ConfigMaps("default").Get(t.Context(), "map-0", metav1.GetOptions{})
		if took := time.Since(start).Round(time.Second); err != nil || took != 3*time.Second || busy.Met() != 1 {
			t.Errorf("%v, after %v", err, took)
		}
	})
}

func TestARequestEndsWithItsContextOrTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		api.Fail(mapstoretest.Hang())
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		_, err := api.Client().CoreV1().ConfigMaps("default").Get(ctx, "settings", metav1.GetOptions{})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Minute {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		config := api.Config()
		config.Timeout = time.Hour
		client, err := kubernetes.NewForConfig(config)
		if err != nil {
			t.Fatal(err)
		}
		start = time.Now()
		if _, err = client.CoreV1().ConfigMaps("default").Get(t.Context(), "settings", metav1.GetOptions{}); err == nil || time.Since(start) != time.Hour {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}
