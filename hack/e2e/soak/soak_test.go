package main

import (
	"bytes"
	"errors"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/unrolled/mapstore/v2/hack/kube"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A short soak is quiet.
func TestASoakFindsNothingWhereNothingGrows(t *testing.T) {
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
	var out bytes.Buffer
	short := plan{length: time.Second, warmUp: 500 * time.Millisecond, sample: 50 * time.Millisecond}
	if err := short.run(t.Context(), &out, plane); err != nil {
		t.Errorf("%v\n%s", err, &out)
	}
	t.Logf("\n%s", &out)
}

// The samples of a process that leaks on purpose: with each operation a goroutine,
// a connection and memory.
func TestWhatIsLeakedIsFound(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	var goroutines sync.WaitGroup
	defer goroutines.Wait()
	end := make(chan struct{})
	defer close(end)
	var samples []sample
	var memory [][]byte
	for n := range 3 * minSamples {
		connection, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer connection.Close()
		goroutines.Go(func() { <-end })
		memory = append(memory, make([]byte, 64<<10))
		samples = append(samples, take(time.Now(), int64(n)))
	}
	runtime.KeepAlive(memory)
	grown := judge(samples)
	wanted := []string{"bytes of memory", "goroutines"}
	if samples[0].files > 0 {
		wanted = append(wanted, "open files")
	}
	for _, want := range wanted {
		if grown == nil || !strings.Contains(grown.Error(), want+" grow") {
			t.Errorf("%s: not found in: %v", want, grown)
		}
	}
}
