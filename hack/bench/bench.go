package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/unrolled/mapstore/v2/hack/bench/report"
	"github.com/unrolled/mapstore/v2/hack/bench/rig"
)

// A bench is one run of the measurements.
type bench struct {
	*rig.Rig
	quick bool
	out   io.Writer // where progress goes
	began time.Time
}

// A step measures one theme.
type step struct {
	name string
	run  func(*bench, context.Context) (report.Section, error)
}

var steps = []step{
	{"reads", (*bench).reads},
	{"write", (*bench).write},
	{"writers", (*bench).writers},
	{"contention", (*bench).contention},
	{"propagation", (*bench).propagation},
	{"event", (*bench).event},
	{"keys", (*bench).keys},
	{"heap", (*bench).heap},
	{"subscriptions", (*bench).subscriptions},
	{"fleet", (*bench).fleet},
	{"sync", (*bench).firstSync},
}

func stepNames() []string {
	names := make([]string, len(steps))
	for i, s := range steps {
		names[i] = s.name
	}
	return names
}

// say writes a line of progress.
func (b *bench) say(format string, args ...any) {
	since := time.Since(b.began)
	fmt.Fprintf(b.out, "[%d:%02d] %s\n", int(since.Minutes()), int(since.Seconds())%60, fmt.Sprintf(format, args...))
}

// pick returns full, or quick in a quick run.
func pick[T any](b *bench, full, quick T) T {
	if b.quick {
		return quick
	}
	return full
}
