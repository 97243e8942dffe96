package mapstore

import (
	"bytes"
	"testing"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/client-go/kubernetes/scheme"
)

// wires are the encodings in which clients and servers exchange objects.
var wires = map[string]runtime.Serializer{
	"protobuf": protobuf.NewSerializer(scheme.Scheme, scheme.Scheme),
	"JSON":     json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme.Scheme, scheme.Scheme, json.SerializerOptions{}),
}

// overTheWire returns what the other side gets of object.
func overTheWire(t *testing.T, wire runtime.Serializer, object *corev1.ConfigMap) *corev1.ConfigMap {
	t.Helper()
	sent := object.DeepCopy()
	sent.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("ConfigMap"))
	var encoded bytes.Buffer
	if err := wire.Encode(sent, &encoded); err != nil {
		t.Fatalf("cannot be encoded: %v", err)
	}
	received := &corev1.ConfigMap{}
	if _, _, err := wire.Decode(encoded.Bytes(), nil, received); err != nil {
		t.Fatalf("cannot be decoded: %v", err)
	}
	return received
}

// Any bytes come back as they are, in both encodings, whether the key is new,
// was text or was binary before; they are where kubectl shows them exactly if
// they are text, and in one place only.
func FuzzValues(f *testing.F) {
	for _, value := range []string{
		"", "text", "\x00", "\xff", "\xc3", "\xc3\xa9", "é", "e\u0301", "\ufffd", "\ufeffBOM", "\xed\xa0\x80", // half a surrogate pair
		"\xf4\x90\x80\x80" /* beyond Unicode */, "\xc0\x80" /* overlong */, "text\xfftext", "</script>&\u2028", "\r\n\t", `"quoted\"`, "\U0010ffff",
	} {
		f.Add([]byte(value), []byte("was here"))
		f.Add([]byte(value), []byte("\xfe\xff"))
	}
	f.Fuzz(func(t *testing.T, value, other []byte) {
		base := snapshotOf(
			map[string]string{"text": "t", "stays": "t"},
			map[string][]byte{"binary": {0xff}, "foreign": []byte("text that somebody has put here")},
		)
		want := map[string]string{
			"new": string(value), "text": string(value), "binary": string(value), "other": string(other),
			"stays": "t", "foreign": "text that somebody has put here",
		}
		d := newDraft(base)
		for _, keys := range [][]string{{"new", "text"}, {"binary", "other"}} { // two transactions in one request
			tx := d.Begin()
			for _, key := range keys {
				tx.Set(key, want[key])
			}
			if err := d.Add(tx); err != nil {
				t.Fatal(err)
			}
		}
		for name, wire := range wires {
			object := overTheWire(t, wire, d.configMap())
			got := newSnapshot(object)
			if got.Len() != len(want) || len(object.Data)+len(object.BinaryData) != len(want) {
				t.Errorf("%s: %d keys in %d places, want %d", name, got.Len(), len(object.Data)+len(object.BinaryData), len(want))
			}
			for key, value := range want {
				if back, ok := got.Get(key); back != value || !ok {
					t.Errorf("%s: %s is %q, %v, want %q", name, key, back, ok, value)
				}
				_, text := object.Data[key]
				if expected := utf8.ValidString(value) && key != "foreign"; text != expected {
					t.Errorf("%s: %s = %q is in data: %v, want %v", name, key, value, text, expected)
				}
			}
		}
	})
}
