package demo

import (
	"context"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"
)

// A Console prints for people, in colour when they sit at a terminal.
type Console struct {
	pace   time.Duration
	colour bool

	mu  sync.Mutex // keeps lines whole
	out io.Writer
}

func newConsole(out io.Writer, pace time.Duration) *Console {
	c := &Console{out: out, pace: pace}
	if file, ok := out.(*os.File); ok && os.Getenv("NO_COLOR") == "" {
		info, err := file.Stat()
		c.colour = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return c
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
	c.print("\n\x1b[1m", "%s", title)
}

// Say explains what the viewer sees.
func (c *Console) Say(format string, args ...any) { c.print("  ", format, args...) }

// Command shows what is done, and Detail what comes of it.
func (c *Console) Command(format string, args ...any) { c.print("\x1b[36m    $ ", format, args...) }
func (c *Console) Detail(format string, args ...any)  { c.print("\x1b[2m      ", format, args...) }

// OK shows that something is as it should be.
func (c *Console) OK(format string, args ...any) { c.print("\x1b[32m  ok  ", format, args...) }

// Write prints the progress that others report.
func (c *Console) Write(p []byte) (int, error) {
	for line := range strings.Lines(string(p)) {
		c.Detail("%s", strings.TrimSpace(line))
	}
	return len(p), nil
}

// print prints a line after a lead, which may begin with a terminal's code for a colour.
func (c *Console) print(lead, format string, args ...any) {
	line := lead + fmt.Sprintf(format, args...) + "\x1b[0m"
	if !c.colour {
		line = colours.ReplaceAllString(line, "")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Fprintln(c.out, line)
}

var colours = regexp.MustCompile("\x1b\\[[0-9]*m")

// Short prints a duration with three digits.
func Short(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%.3g ms", d.Seconds()*1000)
	}
	return fmt.Sprintf("%.3g s", d.Seconds())
}
