package source_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/unrolled/mapstore/v2/pkg/internal/remote"
	"github.com/unrolled/mapstore/v2/pkg/internal/source"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
)

// A log is a target that writes down what it is told.
type log struct {
	t      *testing.T
	lines  []string
	behind bool
	doubts int // how many lists more prove nothing
}

func (l *log) add(format string, args ...any) {
	l.lines = append(l.lines, fmt.Sprintf(format, args...))
}

func (l *log) Ask() func(*corev1.ConfigMapList) bool {
	return func(list *corev1.ConfigMapList) bool {
		var names []string
		for _, item := range list.Items {
			names = append(names, item.Name)
		}
		l.add("list %s: %s", list.ResourceVersion, strings.Join(names, " "))
		l.behind = false
		l.doubts--
		return l.doubts < 0
	}
}

func (l *log) Take(cm *corev1.ConfigMap, isThere bool) {
	l.add("%s %s: %v", cm.Name, cm.ResourceVersion, isThere)
}
func (l *log) Reached(revision string) { l.add("reached %s", revision) }
func (l *log) IsBehind() bool          { return l.behind }
func (l *log) HasCopy() bool           { return len(l.lines) > 0 }
func (l *log) Synced()                 { l.add("synced") }

// expect holds what was written down since the last call to lines, separated by semicolons.
func (l *log) expect(lines string) {
	l.t.Helper()
	synctest.Wait()
	if got := strings.Join(l.lines, "; "); got != lines {
		l.t.Errorf("got  %s\nwant %s", got, lines)
	}
	l.lines = nil
}

// What a target is told of two maps of a family, from the first list to the end.
func TestATargetIsToldOfAllThatHappens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		selector := labels.SelectorFromSet(labels.Set{"app": "shop"})
		put := func(name, app string) {
			api.ConfigMap("default", name).Edit(func(cm *corev1.ConfigMap) { cm.Labels = map[string]string{"app": app} })
		}
		api.ConfigMap("default", "a").Put(nil)
		put("a", "shop")
		told := &log{t: t, doubts: 1}
		src := source.New(remote.NewFamily(api.Client(), "default", selector, ""), told, source.Options{
			MaxBackoff: time.Second, StaleAfter: time.Minute, Logger: logr.Discard(),
		})
		if err := src.Doubt(src.Link.Load()); err == nil || !strings.Contains(err.Error(), "Start has not been called") {
			t.Errorf("before Run: %v", err)
		}
		ctx, stop := context.WithCancel(logr.NewContext(t.Context(), logr.Discard()))
		ended := make(chan struct{})
		go func() {
			src.Run(ctx)
			close(ended)
		}()
		told.expect("list 3: a; list 3: a; reached 3; synced")
		if err := src.Doubt(src.Link.Load()); err != nil || src.Reconnects() != 0 {
			t.Errorf("once it is synced: %v, %d reconnects", err, src.Reconnects())
		}

		api.ConfigMap("default", "b").Put(nil)
		told.expect("")
		put("b", "shop")
		put("a", "bakery") // leaves the family
		told.expect("b 5: true; reached 5; a 6: false; reached 6")
		api.ConfigMap("default", "b").Delete()
		told.expect("b 7: false; reached 7")

		told.behind = true // a target that finds out by itself that the server has gone back
		src.Rewound("9", "7")
		time.Sleep(2 * time.Second) // the reflector may rest before it watches again
		told.expect("list 7: ; reached 7")
		if src.Reconnects() != 1 {
			t.Errorf("%d reconnects", src.Reconnects())
		}

		outage := api.Fail(mapstoretest.Refused())
		time.Sleep(time.Minute)
		synctest.Wait()
		told.lines = slices.DeleteFunc(told.lines, func(line string) bool { return strings.HasPrefix(line, "reached") }) // bookmarks
		told.expect("")
		if err := src.Doubt(src.Link.Load()); err == nil || !strings.Contains(err.Error(), "cannot follow the API server") {
			t.Errorf("in an outage: %v", err)
		}
		outage.End()
		time.Sleep(2 * time.Second)
		told.expect("list 7: ; reached 7")

		stop()
		<-ended
		told.expect("")
	})
}
