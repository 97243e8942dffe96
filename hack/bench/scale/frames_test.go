package scale

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// frame encodes an event with an object of the given size as the API server does.
func frame(t *testing.T, kind string, size int, json bool) []byte {
	t.Helper()
	raw := bytes.Repeat([]byte{'1'}, size) // is JSON too
	if json {
		return []byte(`{"type":"` + kind + `","object":` + string(raw) + "}\n")
	}
	event := &metav1.WatchEvent{Type: kind, Object: runtime.RawExtension{Raw: raw}}
	body, err := event.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...) //nolint:gosec // small
}

func TestEventsOfAnySizeAreToldApart(t *testing.T) {
	for _, json := range []bool{false, true} {
		var stream []byte
		kinds := []string{"MODIFIED", "BOOKMARK", "ERROR", "MODIFIED", "ADDED", "MODIFIED"}
		for i, kind := range kinds {
			stream = append(stream, frame(t, kind, []int{1, 20, 5000, 1, 1_000_000, 4096}[i], json)...)
		}
		f := &frameReader{bufio.NewReader(bytes.NewReader(stream)), json}
		for i, want := range kinds {
			if got, err := f.next(); got != want || err != nil {
				t.Fatalf("json %v: event %d is %q (%v), want %q", json, i, got, err, want)
			}
		}
		if kind, err := f.next(); !errors.Is(err, io.EOF) {
			t.Errorf("json %v: after the end came %q, %v", json, kind, err)
		}
	}
}

func TestAStreamThatIsCutOrNoWatchIsAnError(t *testing.T) {
	whole := string(frame(t, "MODIFIED", 100, false))
	for _, test := range []struct {
		name, stream string
		json         bool
	}{
		{"a cut length", whole[:3], false},
		{"a cut head", whole[:9], false},
		{"a cut body", whole[:50], false},
		{"another message", "\x00\x00\x00\x04k8s\x00", false},
		{"a type longer than the event", "\x00\x00\x00\x03\x0a\x08M", false},
		{"a cut line", `{"type":"MODIFIED","obj`, true},
		{"another line", "404 page not found\n", true},
	} {
		f := &frameReader{bufio.NewReader(strings.NewReader(test.stream)), test.json}
		if kind, err := f.next(); err == nil {
			t.Errorf("%s: %q and no error", test.name, kind)
		}
	}
}
