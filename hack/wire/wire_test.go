package wire

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"
)

// echo starts a server that sends back what it gets, and a wire to it.
func echo(t *testing.T) *Wire {
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
	w, err := New(listener.Addr().String(), rand.New(rand.NewPCG(1, 2)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.Close()
		listener.Close()
		serving.Wait()
	})
	return w
}

// That connections are refused and delayed, and that holes and cuts are noticed, the
// rows of the fault matrix see themselves; how bytes and connections fare in them they do not.
func TestAHoleDeliversLateAndAResetIsATCPReset(t *testing.T) {
	w := echo(t)
	conn, err := net.Dial("tcp", w.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	send := func(text string) {
		if _, err := io.WriteString(conn, text); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(text string) {
		got := make([]byte, len(text))
		_ = conn.SetReadDeadline(time.Now().Add(time.Minute)) // or reading fails
		if _, err := io.ReadFull(conn, got); err != nil || string(got) != text {
			t.Fatalf("read %q, %v; want %q", got, err, text)
		}
	}
	send("before")
	expect("before")
	w.Set(Trouble{Hole: true})
	send("late")
	_ = conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond)) // likewise
	if n, err := conn.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("read %d bytes through a hole, %v", n, err)
	}
	w.Set(Trouble{})
	expect("late")
	w.Cut(true)
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("reading: %v, want %v", err, syscall.ECONNRESET)
	}
}
