package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// width is that of the narrowest terminal in use.
const width = 80

// A console prints for people, in colour when they sit at a terminal.
type console struct {
	colour bool
	done   <-chan struct{} // closed when there is no more to tell
	broken func(error)     // called when nobody can read any more

	mu  sync.Mutex // keeps what is printed at once together
	out io.Writer
}

func newConsole(out io.Writer, done <-chan struct{}, broken func(error)) *console {
	return &console{out: out, done: done, broken: broken, colour: os.Getenv("NO_COLOR") == "" && isTerminal(out)}
}

// isTerminal reports whether out is a terminal that knows colours: those that do
// say what they are.
func isTerminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	if term := os.Getenv("TERM"); !ok || term == "" || term == "dumb" {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// A style is what a terminal calls it.
type style string

const (
	plain  style = ""
	bold   style = "1"
	dim    style = "2"
	red    style = "31"
	green  style = "32"
	yellow style = "33"
	cyan   style = "36"
)

func (c *console) title(text string) { c.print(bold, "", text) }

func (c *console) heading(n int, text string) {
	c.print(bold, "", "")
	c.print(bold, "", fmt.Sprintf("%d. %s", n, text))
}

// say explains what the viewer sees.
func (c *console) say(format string, args ...any) {
	c.print(plain, "  ", fmt.Sprintf(format, args...))
}

// quote shows what somebody else would type or say.
func (c *console) quote(format string, args ...any) {
	c.print(dim, "    ", fmt.Sprintf(format, args...))
}

// act shows what somebody does.
func (c *console) act(who, what string) { c.print(cyan, "    "+pad(who, 3), what) }

// delta shows what somebody is told of one key.
func (c *console) delta(who, key string, delta mapstore.Delta) {
	value, colour := delta.New, green
	switch delta.Op {
	case mapstore.Modified:
		value, colour = delta.Old+" -> "+delta.New, yellow
	case mapstore.Removed:
		value, colour = delta.Old, red
	}
	c.print(colour, "    "+pad(who, 5), pad(delta.Op.String(), 10)+pad(key, 12)+value)
}

// ok shows that something is as it should be.
func (c *console) ok(format string, args ...any) {
	c.print(green, "  ok  ", fmt.Sprintf(format, args...))
}

// A result is one line of the table at the end.
type result struct{ what, value, note string }

func (c *console) results(results []result) {
	for _, r := range results {
		c.print(plain, "  ", fmt.Sprintf("%-23s%13s  %s", r.what, r.value, r.note))
	}
}

// Write prints what is reported by others, line by line.
func (c *console) Write(p []byte) (int, error) {
	for line := range strings.Lines(string(p)) {
		c.print(dim, "  ", strings.TrimSuffix(line, "\n"))
	}
	return len(p), nil
}

// print prints text after a lead, in as many lines as it takes.
func (c *console) print(s style, lead, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.done:
		return
	default:
	}
	for _, line := range wrap(text, width-len(lead)) {
		line = strings.TrimRight(lead+line, " ")
		lead = strings.Repeat(" ", len(lead))
		if c.colour && s != plain && line != "" {
			line = "\x1b[" + string(s) + "m" + line + "\x1b[0m"
		}
		if _, err := fmt.Fprintln(c.out, line); err != nil {
			c.broken(err)
		}
	}
}

// wrap breaks text into lines of at most n bytes, at a space if there is one.
func wrap(text string, n int) []string {
	var lines []string
	for len(text) > n {
		at := strings.LastIndexByte(text[:n+1], ' ')
		if at <= 0 {
			at = n
		}
		lines = append(lines, strings.TrimRight(text[:at], " "))
		text = strings.TrimLeft(text[at:], " ")
	}
	return append(lines, text)
}

func pad(text string, n int) string { return fmt.Sprintf("%-*s", n, text) }

// short prints a duration with two or three digits.
func short(d time.Duration) string {
	switch {
	case d.Abs() < 10*time.Millisecond:
		return fmt.Sprintf("%.2f ms", d.Seconds()*1000)
	case d.Abs() < time.Second:
		return fmt.Sprintf("%.0f ms", d.Seconds()*1000)
	default:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
}

// thousands prints a number with a comma before every three digits.
func thousands(n int64) string {
	if n < 1000 {
		return strconv.FormatInt(n, 10)
	}
	return thousands(n/1000) + fmt.Sprintf(",%03d", n%1000)
}
