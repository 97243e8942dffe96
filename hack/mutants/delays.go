package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// A delay is the opposite of a mutant: all promises are kept, but something comes later than it
// does as a rule. So no test may fail.
type delay struct {
	of       string // what is late
	file     string
	old, new string
}

// givesWay lets all others go on for a while.
const givesWay = "for range 300 {\nc := make(chan struct{})\ngo close(c)\n<-c\n}\n"

var delays = []delay{
	{"callbacks", "pkg/watch/workers.go", "		s.run(id)\n", givesWay + "s.run(id)\n"},
	{"the return of callbacks", "pkg/watch/workers.go", "		s.run(id)\n", "s.run(id)\n" + givesWay},
	{"answers to writes", "pkg/mapstore/task.go", "t.done <- run(ctx, t) }()\n", "r := run(ctx, t)\n" + givesWay + "t.done <- r }()\n"},
	{"what the watch brings", "pkg/mapstore/target.go", "	t.visit(cm.Name, func", givesWay + "t.visit(cm.Name, func"},
}

// checkDelays runs the tests of pkg with each delay, on one, two and four processors.
func checkDelays(ctx context.Context) error {
	failed := 0
	for _, d := range delays {
		for _, processors := range []string{"1", "2", "4"} {
			start := time.Now()
			output, err := d.run(ctx, processors)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			verdict := "passed"
			if err != nil {
				verdict = "FAILED"
				failed++
			}
			fmt.Printf("%-8s %5.1fs  %s late, GOMAXPROCS=%s\n", verdict, time.Since(start).Seconds(), d.of, processors)
			if err != nil {
				fmt.Println(output, err)
			}
		}
	}
	if failed > 0 {
		return errors.New("a test takes for granted that something is soon there")
	}
	return nil
}

func (d delay) run(ctx context.Context, processors string) (output string, err error) {
	dir, err := os.MkdirTemp("", "delay")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	overlay, err := mutant{file: d.file, old: d.old, new: d.new}.overlay(dir)
	if err != nil {
		return "", err
	}
	return goTest(ctx, ".", "-overlay="+overlay, "-cpu="+processors, "-count=1", "-timeout=10m", "./pkg/...")
}
