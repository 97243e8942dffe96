package main

import (
	"bytes"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/unrolled/mapstore/v2/hack/kube"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A short soak is quiet, and finds what is leaked on purpose. Samples are of the
// whole process, so one soak follows the other.
func TestSoak(t *testing.T) {
	plane, err := kube.Start(t.Context(), kube.Options{})
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := plane.Stop(); err != nil {
			t.Error(err)
		}
	})
	short := plan{
		length: 2 * time.Second, warmUp: 700 * time.Millisecond, sample: 50 * time.Millisecond,
		open: 400 * time.Millisecond, deleted: 300 * time.Millisecond, onOperation: func() {},
	}

	t.Run("finds nothing where nothing grows", func(t *testing.T) {
		var out bytes.Buffer
		if err := short.run(t.Context(), &out, plane); err != nil {
			t.Errorf("%v\n%s", err, &out)
		}
		t.Logf("\n%s", &out)
	})

	t.Run("finds a goroutine, a connection and memory an operation", func(t *testing.T) {
		var l leaks
		defer l.end()
		leaking := short
		leaking.onOperation = l.leak(t)
		var out bytes.Buffer
		err := leaking.run(t.Context(), &out, plane)
		if err == nil {
			t.Fatalf("nothing was found\n%s", &out)
		}
		t.Log(err)
		wanted := []string{"bytes of memory", "goroutines"}
		if files, _ := descriptors(); files != unknown {
			wanted = append(wanted, "open files", "sockets")
		}
		for _, want := range wanted {
			if !strings.Contains(err.Error(), want+" grow") {
				t.Errorf("%s: not found\n%s", want, &out)
			}
		}
	})

	t.Run("finds a lost update", func(t *testing.T) {
		l, err := newLoad(t.Context(), plane, short)
		if err != nil {
			t.Fatal(err)
		}
		l.start(t.Context())
		defer l.end()
		for range 5 {
			if err := l.increment(t.Context(), l.counting[0]); err != nil {
				t.Fatal(err)
			}
		}
		l.stop()
		l.workers.Wait()
		client := kubernetes.NewForConfigOrDie(plane.Config())
		if _, err := client.CoreV1().ConfigMaps(l.namespace).Patch(t.Context(), counted, types.MergePatchType, []byte(`{"data":{"n":"1"}}`), metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := l.wait(); err == nil || !strings.Contains(err.Error(), "lost") {
			t.Errorf("wait: %v", err)
		}
	})
}

// Leaks are what a test leaks on purpose, one of each an operation.
type leaks struct {
	mu          sync.Mutex
	memory      [][]byte
	ends        []chan struct{}
	connections []net.Conn
	goroutines  sync.WaitGroup
}

func (l *leaks) leak(t *testing.T) func() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.memory = append(l.memory, make([]byte, 8<<10))
		end := make(chan struct{})
		l.ends = append(l.ends, end)
		l.goroutines.Go(func() { <-end })
		if len(l.connections) < 500 { // not to exceed what a process may have open
			if connection, err := net.Dial("tcp", listener.Addr().String()); err == nil {
				l.connections = append(l.connections, connection)
			}
		}
	}
}

func (l *leaks) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, end := range l.ends {
		close(end)
	}
	for _, connection := range l.connections {
		connection.Close()
	}
	l.goroutines.Wait()
}
