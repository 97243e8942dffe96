package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// A console prints for people, in lines that fit a narrow terminal.
type console struct {
	mu  sync.Mutex // keeps lines whole
	out io.Writer
}

func (c *console) title(format string, args ...any)   { c.print("", "\n"+format, args...) }
func (c *console) say(format string, args ...any)     { c.print("  ", format, args...) }
func (c *console) command(format string, args ...any) { c.print("    $ ", format, args...) }
func (c *console) detail(format string, args ...any)  { c.print("      ", format, args...) }
func (c *console) ok(format string, args ...any)      { c.print("  ok  ", format, args...) }

// Write prints the progress that others report.
func (c *console) Write(p []byte) (int, error) {
	for line := range strings.Lines(string(p)) {
		c.say("%s", strings.TrimSpace(line))
	}
	return len(p), nil
}

func (c *console) print(lead, format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Fprintln(c.out, lead+fmt.Sprintf(format, args...)) // who does not read on misses the rest
}

// short prints a duration with two or three digits.
func short(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%.0f ms", d.Seconds()*1000)
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}
