package main

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/unrolled/mapstore/v2/hack/e2e/rig"
)

// echo starts a server that sends back what it gets, and a wire to it.
func echo(t *testing.T) *wire {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn) // until the client, or a fault, ends it
			})
		}
	})
	w, err := newWire(listener.Addr().String(), rand.New(rand.NewPCG(1, 2)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.close()
		listener.Close()
		serving.Wait()
	})
	return w
}

func connect(t *testing.T, w *wire) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", w.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(rig.Patience)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func expectEcho(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	expectRead(t, conn, text)
}

func expectRead(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	got := make([]byte, len(text))
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != text {
		t.Fatalf("read %q, %v; want %q", got, err, text)
	}
}

func TestAHoleHoldsBackAndDeliversLate(t *testing.T) {
	w := echo(t)
	conn := connect(t, w)
	expectEcho(t, conn, "before")
	w.set(trouble{hole: true})
	if _, err := io.WriteString(conn, "late"); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := conn.Read(make([]byte, 1)); err == nil {
		t.Fatalf("read %d bytes through a hole", n)
	}
	if err := conn.SetReadDeadline(time.Now().Add(rig.Patience)); err != nil {
		t.Fatal(err)
	}
	w.set(trouble{})
	expectRead(t, conn, "late")
}

func TestAResetIsATCPReset(t *testing.T) {
	w := echo(t)
	conn := connect(t, w)
	expectEcho(t, conn, "before")
	w.cut(true)
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("reading: %v, want %v", err, syscall.ECONNRESET)
	}
	expectEcho(t, connect(t, w), "after")
}

func TestRefusedUntilRestored(t *testing.T) {
	w := echo(t)
	conn := connect(t, w)
	expectEcho(t, conn, "before")
	w.refuse()
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("the connection is still open")
	}
	if _, err := net.Dial("tcp", w.address); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("connecting: %v, want %v", err, syscall.ECONNREFUSED)
	}
	if err := w.restore(t.Context()); err != nil {
		t.Fatal(err)
	}
	expectEcho(t, connect(t, w), "after")
}
