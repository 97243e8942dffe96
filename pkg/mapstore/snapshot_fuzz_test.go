package mapstore

import (
	"bytes"
	"errors"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/unrolled/mapstore/v2/pkg/internal/ledger"
)

// oddMaps are maps that others might leave behind, or a server might hand out.
func oddMaps() []*corev1.ConfigMap {
	named := func(annotations map[string]string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Name: "settings", Namespace: "ns", UID: "u", ResourceVersion: "7", Annotations: annotations}
	}
	sizes := make(map[string]string) // around those at which a length takes one more byte
	for _, key := range []int{1, 120, 128, 253} {
		for i, value := range []int{0, 100, 127, 128, 16_383, 16_384} {
			sizes[strings.Repeat(string(rune('a'+i)), key)] = strings.Repeat("v", value)
		}
	}
	return []*corev1.ConfigMap{
		{},
		{ObjectMeta: named(nil)},
		{ObjectMeta: named(nil), Data: map[string]string{}, BinaryData: map[string][]byte{}},
		{ObjectMeta: named(nil), Data: map[string]string{"both": "text"}, BinaryData: map[string][]byte{"both": {0xff}}},
		{ObjectMeta: named(nil), Data: map[string]string{"bad key": "1", "": "2", "..": "3"}, BinaryData: map[string][]byte{"nil": nil, "a/b": {}}},
		{ObjectMeta: named(nil), Data: map[string]string{"invalid": "\xff\xfe"}},
		{ObjectMeta: named(nil), Data: sizes},
		{ObjectMeta: named(map[string]string{ledger.Annotation: strings.Repeat("garbage \x00", 500)}), Data: map[string]string{"k": "v"}},
		{ObjectMeta: named(map[string]string{"note": strings.Repeat("n", 969_000)}), Data: map[string]string{"k": strings.Repeat("v", 600_000)}},
		{ObjectMeta: named(nil), Data: map[string]string{"k": strings.Repeat("v", maxValueBytes+1)}},
		{ObjectMeta: named(nil), Data: map[string]string{"k": "v"}, Immutable: new(true)},
		{ObjectMeta: metav1.ObjectMeta{Name: "\xff", UID: "\x00", ResourceVersion: "-1", Finalizers: []string{""}, ManagedFields: []metav1.ManagedFieldsEntry{{}}}},
	}
}

// documentedKey is the rule as ErrInvalidKey states it, but for the dots.
var documentedKey = regexp.MustCompile(`\A[-_.a-zA-Z0-9]{1,253}\z`)

// isKey reports whether Kubernetes takes the key, which is exactly if it follows the
// documented rule.
func isKey(t *testing.T, key string) bool {
	valid := len(validation.IsConfigMapKey(key)) == 0
	if documented := documentedKey.MatchString(key) && key != "." && !strings.HasPrefix(key, ".."); documented != valid {
		t.Errorf("%q: valid is %v for Kubernetes and %v as documented", key, valid, documented)
	}
	return valid
}

// Whatever a ConfigMap holds, a snapshot of it counts right, and a transaction on top
// of it ends in an object that contains exactly what it should, where people see it
// with kubectl if it is text; or in a typed error, and then it leaves no trace. The
// object is fuzzed in the server's own encoding.
func FuzzSnapshots(f *testing.F) {
	var encoded [][]byte
	for _, object := range oddMaps() {
		bytes, err := object.Marshal()
		if err != nil {
			f.Fatal(err)
		}
		encoded = append(encoded, bytes)
		f.Add(bytes, "k", []byte("v"), "gone", false)
		f.Add(bytes, "both", []byte("\xff"), "k", false)
		f.Add(bytes, "k", []byte(""), "bad key", true)
		f.Add(bytes, "new", slices.Repeat([]byte("x"), 4096), "both", true)
		f.Add(bytes, "new", slices.Repeat([]byte("x"), 4096), "gone", false)
	}
	plain, both := encoded[1], encoded[3]
	for _, key := range []string{
		"", ".", "..", "...", "..data", ".hidden", "a..b", "a.", "-", "_", "A-Z_0.9",
		"bad key", "a/b", "a\n", "\na", "a\x00", "ä", "\xff", "%s%d", "ſ", "\u212a", // the last two fold to s and K
		strings.Repeat("k", 253), strings.Repeat("k", 254), strings.Repeat("ä", 127), strings.Repeat("\x00", 1<<16),
	} {
		f.Add(plain, key, []byte("v"), "gone", false)
		f.Add(plain, "k", []byte("v"), key, false)
	}
	for _, value := range []string{
		"text", "\x00", "\xc3", "\xc3\xa9", "é", "e\u0301", "\ufffd", "\ufeffBOM", "\xed\xa0\x80", // half a surrogate pair
		"\xf4\x90\x80\x80" /* beyond Unicode */, "\xc0\x80" /* overlong */, "text\xfftext", "</script>&\u2028", "\r\n\t", `"quoted\"`, "\U0010ffff",
	} {
		f.Add(plain, "new", []byte(value), "gone", false)
		f.Add(both, "both", []byte(value), "gone", false)
	}
	f.Fuzz(func(t *testing.T, encoded []byte, set string, value []byte, deleted string, clears bool) {
		object := &corev1.ConfigMap{}
		if object.Unmarshal(encoded) != nil {
			t.Skip("no ConfigMap")
		}
		pristine := object.DeepCopy()
		base := newSnapshot(object)
		want := make(map[string]string)
		maps.Copy(want, object.Data)
		for key, value := range object.BinaryData { // of a key in both, one of the two has to win
			want[key] = string(value)
		}
		checkCounts(t, base, want)

		d := newDraft(base)
		tx := d.Begin()
		if clears {
			tx.Clear()
			clear(want)
		}
		tx.Set(set, string(value))
		want[set] = string(value)
		tx.Delete(deleted)
		delete(want, deleted)
		err := d.Add(tx)
		if valid := isKey(t, set) && isKey(t, deleted); valid == errors.Is(err, ErrInvalidKey) {
			t.Errorf("%.300q and %.300q: %v, and valid is %v", set, deleted, err, valid)
		}
		if err != nil {
			if !errors.Is(err, ErrInvalidKey) && !errors.Is(err, ErrTooLarge) && !errors.Is(err, ErrImmutable) {
				t.Errorf("an error without a type: %v", err)
			}
			if len(err.Error()) > 4096 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			if want = base.data; d.differs() || d.size != base.size() {
				t.Error("the refused transaction has left a trace")
			}
		}
		next := d.configMap()
		checkObject(t, next, want)
		for key := range want {
			_, before := pristine.BinaryData[key]
			_, binary := next.BinaryData[key]
			switch {
			case err != nil || key != set: // it stays where others have put it
				if binary != before {
					t.Errorf("%q has moved", key)
				}
			case want[key] != base.data[key] && binary == utf8.ValidString(want[key]):
				t.Errorf("%q = %q is in binaryData: %v", key, want[key], binary)
			}
		}
		if next.ResourceVersion != pristine.ResourceVersion || next.UID != pristine.UID {
			t.Errorf("the guards are %q and %q, want %q and %q", next.ResourceVersion, next.UID, pristine.ResourceVersion, pristine.UID)
		}
		if d.differs() && next.Size() > maxObjectBytes && next.Size() > pristine.Size() {
			t.Errorf("%d bytes grew to %d, which etcd refuses", pristine.Size(), next.Size())
		}
		if !reflect.DeepEqual(base.object, newSnapshot(pristine).object) {
			t.Error("the base has changed")
		}
		_ = newSnapshot(next).version() // panics on nothing
	})
}

func checkCounts(t *testing.T, s *Snapshot, want map[string]string) {
	t.Helper()
	if s.Len() != len(want) || !slices.Equal(s.Keys(), slices.Sorted(maps.Keys(want))) || !maps.Equal(maps.Collect(s.All()), want) {
		t.Errorf("%d keys %q, want %q", s.Len(), s.Keys(), want)
	}
	values := 0
	for _, value := range want {
		values += len(value)
	}
	alone := corev1.ConfigMap{Data: want}
	if want := (size{values, alone.Size() - (&corev1.ConfigMap{}).Size()}); s.size() != want {
		t.Errorf("the size is %+v, want %+v", s.size(), want)
	}
}

// checkObject checks what the other side gets of the object, in both encodings in which
// clients and servers exchange objects.
func checkObject(t *testing.T, object *corev1.ConfigMap, want map[string]string) {
	t.Helper()
	sent := &corev1.ConfigMap{Data: object.Data, BinaryData: object.BinaryData}
	sent.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("ConfigMap"))
	for name, wire := range map[string]runtime.Serializer{
		"protobuf": protobuf.NewSerializer(scheme.Scheme, scheme.Scheme),
		"JSON":     json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme.Scheme, scheme.Scheme, json.SerializerOptions{}),
	} {
		if name == "JSON" && !isText(object) {
			continue
		}
		var encoded bytes.Buffer
		if err := wire.Encode(sent, &encoded); err != nil {
			t.Fatalf("%s: cannot be encoded: %v", name, err)
		}
		received := &corev1.ConfigMap{}
		if _, _, err := wire.Decode(encoded.Bytes(), nil, received); err != nil {
			t.Fatalf("%s: cannot be decoded: %v", name, err)
		}
		if got := newSnapshot(received); !maps.Equal(got.data, want) || len(received.Data)+len(received.BinaryData) != len(want) {
			t.Errorf("%s: %q in %d places, want %q", name, got.data, len(received.Data)+len(received.BinaryData), want)
		}
	}
}

// isText reports whether JSON can carry the object.
func isText(object *corev1.ConfigMap) bool {
	for key, value := range object.Data {
		if !utf8.ValidString(key) || !utf8.ValidString(value) {
			return false
		}
	}
	for key := range object.BinaryData {
		if !utf8.ValidString(key) {
			return false
		}
	}
	return true
}
