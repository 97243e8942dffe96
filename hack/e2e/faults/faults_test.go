package main

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if isChild() {
		os.Exit(runChild())
	}
	quiet()
	goleak.VerifyTestMain(m)
}

// All promises, through every fault: the short form of the matrix.
func TestTheMatrix(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a minute")
	}
	planes := &planes{}
	defer func() {
		if err := planes.stop(); err != nil {
			t.Error(err)
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	s := settings{seed: uint64(time.Now().UnixNano()), rounds: 1, parallel: 6, short: true}
	t.Logf("seed %d", s.seed)
	for _, res := range runAll(ctx, planes, matrix(s.short), s, func(res result) { fmt.Fprintln(t.Output(), res.line()) }) {
		t.Run(res.name, func(t *testing.T) {
			if res.err != nil {
				t.Error(res.line())
			}
		})
	}
}
