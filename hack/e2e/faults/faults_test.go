package main

import (
	"flag"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/unrolled/mapstore/v2/hack/kube"
)

func TestMain(m *testing.M) {
	quiet()
	flag.Parse()
	_ = flag.Set("test.parallel", "100") // they wait for their control planes, which see to it that there are not too many
	goleak.VerifyTestMain(m)
}

// All promises, through every fault: the short form of the matrix.
func TestTheMatrix(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a minute")
	}
	s := settings{seed: uint64(time.Now().UnixNano()), rounds: 1, short: true}
	planes := newPlanes(6)
	t.Cleanup(func() {
		if err := planes.stop(); err != nil {
			t.Error(err)
		}
	})
	for i, r := range matrix(s.short) {
		if r.plane.isReplicated() && (!kube.CanReplicate() || i%4 != int(s.seed%4)) {
			continue // one after the other they take two minutes: a quarter each time
		}
		s := s
		s.family = i%2 == int(s.seed%2) // each row with families in every other run
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			t.Logf("families: %v", s.family)
			res := r.execute(t.Context(), planes, s)
			t.Log(res.line()) // here only, as the parent of what fails shows what it has logged, too
			if res.err != nil {
				t.Errorf("with the seed %d", s.seed)
			}
		})
	}
}
