package checker

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// put is one write to the key: etcd's count of them, and the map's only value.
func put(t *testing.T, revision, writes int64, value string) *clientv3.Event {
	t.Helper()
	object, err := json.Marshal(&corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metav1.ObjectMeta{UID: "one", Annotations: map[string]string{outsiderAnnotation: "somebody"}},
		Data:       map[string]string{"text": value},
		BinaryData: map[string][]byte{"binary": {0xff}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return &clientv3.Event{Type: mvccpb.PUT, Kv: &mvccpb.KeyValue{ModRevision: revision, Version: writes, Value: object}}
}

func deletion(revision int64) *clientv3.Event {
	return &clientv3.Event{Type: mvccpb.DELETE, Kv: &mvccpb.KeyValue{ModRevision: revision}}
}

// witnessAt is one that has begun at revision 100, with what is there.
func witnessAt(t *testing.T, there ...*clientv3.Event) *witness {
	t.Helper()
	w := &witness{clock: clock{time.Now()}, pool: &pool{}}
	first := &clientv3.GetResponse{Header: &etcdserverpb.ResponseHeader{Revision: 100}}
	for _, event := range there {
		first.Kvs = append(first.Kvs, event.Kv)
	}
	if err := w.begin(first); err != nil {
		t.Fatal(err)
	}
	return w
}

func answer(events ...*clientv3.Event) clientv3.WatchResponse {
	return clientv3.WatchResponse{Header: &etcdserverpb.ResponseHeader{Revision: 1000}, Events: events}
}

func TestAWitnessSeesEachVersion(t *testing.T) {
	w := witnessAt(t)
	for _, response := range []clientv3.WatchResponse{answer(put(t, 110, 1, "a"), put(t, 120, 2, "b")), answer(deletion(130)), answer(put(t, 140, 1, "c"))} {
		if err := w.take(response); err != nil {
			t.Fatal(err)
		}
	}
	var seen []string
	for _, v := range w.versions {
		seen = append(seen, v.String()+" "+v.contents.short())
	}
	want := `the deletion at 100 {}, version 110 {binary="\xff" text="a"}, version 120 {binary="\xff" text="b"}, the deletion at 130 {}, version 140 {binary="\xff" text="c"}`
	if got := strings.Join(seen, ", "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if v := w.versions[1]; v.uid != "one" || v.outsider != "somebody" {
		t.Errorf("version 110 is %+v", v)
	}
	if w.upTo() != 140 {
		t.Errorf("seen up to %d", w.upTo())
	}
	if err := w.take(answer()); err != nil || w.upTo() != 1000 {
		t.Errorf("seen up to %d, after a sign of progress", w.upTo())
	}
}

func TestAWitnessNoticesThatHistoryIsLost(t *testing.T) {
	for name, row := range map[string]struct {
		there   []*clientv3.Event
		event   *clientv3.Event
		rewound bool
	}{
		"a write is missing":          {there: []*clientv3.Event{put(t, 90, 3, "a")}, event: put(t, 110, 5, "b")},
		"a deletion is missing":       {there: []*clientv3.Event{put(t, 90, 3, "a")}, event: put(t, 110, 1, "b")},
		"the first write is missing":  {event: put(t, 110, 2, "b")},
		"a creation is missing":       {event: deletion(110)},
		"a write comes from the past": {event: put(t, 99, 1, "a"), rewound: true},
		"what is stored is not a map": {event: &clientv3.Event{Type: mvccpb.PUT, Kv: &mvccpb.KeyValue{ModRevision: 110, Version: 1, Value: []byte("x")}}},
	} {
		t.Run(name, func(t *testing.T) {
			w := witnessAt(t, row.there...)
			err := w.take(answer(row.event))
			if err == nil || errors.Is(err, errRewound) != row.rewound {
				t.Fatalf("it says: %v", err)
			}
			w.fail(err)
			if _, err := w.settle(t.Context()); err == nil {
				t.Error("it settles")
			}
		})
	}
}

func TestEditsAreSigned(t *testing.T) {
	for patch, want := range map[string]string{
		`{"data":{"a":"1"}}`:                   `{"data":{"a":"1"},"metadata":{"annotations":{"checker/outsider":"me"}}}`,
		`{"metadata":{"labels":{"a":"1"}}}`:    `{"metadata":{"annotations":{"checker/outsider":"me"},"labels":{"a":"1"}}}`,
		`{"metadata":{"annotations":{"a":1}}}`: `{"metadata":{"annotations":{"a":1,"checker/outsider":"me"}}}`,
		`{"metadata":{"annotations":null}}`:    `{"metadata":{"annotations":null}}`,
		`{"metadata":null}`:                    `{"metadata":null}`,
		`not a patch`:                          `not a patch`,
	} {
		if got := string(signed(patch, "me")); got != want {
			t.Errorf("%s is signed as %s, want %s", patch, got, want)
		}
	}
}
