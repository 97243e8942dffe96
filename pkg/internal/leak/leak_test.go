package leak

import (
	"os"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) { os.Exit(Check(m.Run())) }

func leaked(end <-chan struct{}) { <-end }

func TestAGoroutineThatIsLeftIsFoundWithItsStack(t *testing.T) {
	end := make(chan struct{})
	defer close(end)
	go leaked(end)
	var out strings.Builder
	if code := check(0, 50*time.Millisecond, &out); code != 1 || !strings.Contains(out.String(), "leak.leaked(") {
		t.Errorf("code %d, said %q", code, out.String())
	}
}

func TestAGoroutineThatIsAboutToEndIsNoLeak(t *testing.T) {
	end := make(chan struct{})
	go leaked(end)
	time.AfterFunc(50*time.Millisecond, func() { close(end) })
	var out strings.Builder
	if code := check(0, 10*time.Second, &out); code != 0 {
		t.Errorf("code %d, said %s", code, out.String())
	}
}

func TestTheCodeOfFailedTestsStays(t *testing.T) {
	end := make(chan struct{})
	defer close(end)
	go leaked(end)
	var out strings.Builder
	if code := check(2, 0, &out); code != 2 || out.Len() > 0 {
		t.Errorf("code %d, said %q", code, out.String())
	}
}
