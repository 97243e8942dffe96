package demo

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"
	"time"
)

// A Console prints for people.
type Console struct {
	pace time.Duration

	mu  sync.Mutex // keeps lines whole
	out io.Writer
}

// Pause gives the viewer time for what is there. It ends with ctx, too: what comes next
// returns the error.
func (c *Console) Pause(ctx context.Context) {
	select {
	case <-time.After(c.pace):
	case <-ctx.Done():
	}
}

// Step prints the title of the next step, after a pause.
func (c *Console) Step(ctx context.Context, title string) {
	c.Pause(ctx)
	c.print("\n", "%s", title)
}

// Say explains what the viewer sees.
func (c *Console) Say(format string, args ...any) { c.print("  ", format, args...) }

// Command shows what is done.
func (c *Console) Command(format string, args ...any) { c.print("    $ ", format, args...) }

// Detail shows what comes of it.
func (c *Console) Detail(format string, args ...any) { c.print("      ", format, args...) }

// OK shows that something is as it should be.
func (c *Console) OK(format string, args ...any) { c.print("  ok  ", format, args...) }

// Write prints the progress that others report, a line at a time.
func (c *Console) Write(p []byte) (int, error) {
	c.Detail("%s", bytes.TrimSpace(p))
	return len(p), nil
}

func (c *Console) print(lead, format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Fprintf(c.out, lead+format+"\n", args...)
}

// Short prints a duration with three digits.
func Short(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%.3g ms", d.Seconds()*1000)
	}
	return fmt.Sprintf("%.3g s", d.Seconds())
}
