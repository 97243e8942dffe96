package checker

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// contents is what a map holds, in the one form in which equal maps are equal
// strings: a line for each key, in key order, such as
//
//	key="value"
//
// A map that does not exist has no contents.
type contents string

// A pool keeps one copy of each contents: most versions are seen by many.
type pool struct {
	mu   sync.Mutex // protects seen
	seen map[string]contents
}

// take returns the contents with the given entries, which come in key order.
func (p *pool) take(entries iter.Seq2[string, string]) contents {
	var text []byte
	for key, value := range entries {
		text = append(text, key...)
		text = append(text, '=')
		text = strconv.AppendQuote(text, value)
		text = append(text, '\n')
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if c, ok := p.seen[string(text)]; ok {
		return c
	}
	if p.seen == nil {
		p.seen = make(map[string]contents)
	}
	p.seen[string(text)] = contents(text)
	return contents(text)
}

func (p *pool) takeMap(entries map[string]string) contents {
	return p.take(func(yield func(string, string) bool) {
		for _, key := range slices.Sorted(maps.Keys(entries)) {
			if !yield(key, entries[key]) {
				return
			}
		}
	})
}

func (c contents) lines() iter.Seq[string] { return strings.Lines(string(c)) }

// only returns the part of c with the keys that pass.
func (c contents) only(pass func(key string) bool) contents {
	var text strings.Builder
	for line := range c.lines() {
		if key, _, _ := strings.Cut(line, "="); pass(key) {
			text.WriteString(line)
		}
	}
	return contents(text.String())
}

// entries returns c as a map again, with values as they are quoted.
func (c contents) entries() map[string]string {
	entries := make(map[string]string)
	for line := range c.lines() {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		entries[key] = value
	}
	return entries
}

// difference says in what got differs from want.
func difference(want, got contents) string {
	if want == got {
		return "nothing"
	}
	wanted, has := want.entries(), got.entries()
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(has)) {
		if value, ok := wanted[key]; !ok {
			parts = append(parts, fmt.Sprintf("%s=%s, want none", key, has[key]))
		} else if value != has[key] {
			parts = append(parts, fmt.Sprintf("%s=%s, want %s", key, has[key], value))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(wanted)) {
		if _, ok := has[key]; !ok {
			parts = append(parts, fmt.Sprintf("no %s, want %s", key, wanted[key]))
		}
	}
	return shortened(strings.Join(parts, "; "))
}

func (c contents) short() string {
	return shortened("{" + strings.ReplaceAll(strings.TrimSuffix(string(c), "\n"), "\n", " ") + "}")
}

func shortened(s string) string {
	const limit = 400
	if len(s) <= limit {
		return s
	}
	return s[:limit] + "…"
}
