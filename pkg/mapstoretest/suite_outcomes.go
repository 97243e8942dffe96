package mapstoretest

import (
	"context"
	"errors"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// What becomes of a write when something breaks: promises 5 and 11.
var outcomeProperties = []property{
	{"promise 5: a commit whose request or answer is lost is applied once", func(s *suite) {
		config, api := s.faulty()
		store := s.storeVia(config)
		n := 0
		for _, fault := range []Fault{LostAnswer(), LostRequest(), Refused(), Conflict(), Answer(apierrors.NewInternalError(errors.New("broken")))} {
			for times := range 3 {
				failure := api.FailNext(times+1, fault, "update")
				s.add(store, "n")
				if n++; s.outside.Values()["n"] != strconv.Itoa(n) {
					s.Fatalf("with %v: n = %s after %d increments", fault, s.outside.Values()["n"], n)
				}
				if failure.Met() == 0 {
					s.Errorf("no request met %v", fault)
				}
				failure.End()
			}
		}
	}},
	{"promise 5: an outcome that cannot be found out is said to be unknown", func(s *suite) {
		config, api := s.faulty()
		store := s.storeVia(config)
		s.add(store, "n")
		api.Fail(Refused())
		api.FailNext(1, LostAnswer(), "update")
		err := s.givenUp(func(ctx context.Context) error {
			_, err := store.Update(ctx, add("n"))
			return err
		}, "it is applied", func() bool { return s.outside.Values()["n"] == "2" })
		s.expect("Update", isUnknown, err)
	}},
	{"promise 11: an immutable map is a typed error", func(s *suite) {
		s.outside.Edit(func(o *corev1.ConfigMap) { o.Data, o.Immutable = map[string]string{"k": "1"}, new(true) })
		if err := s.store().Set(s.within(), "k", "2"); !errors.Is(err, mapstore.ErrImmutable) {
			s.Errorf("Set: %v, want ErrImmutable", err)
		}
	}},
}

func isUnknown(err error) bool { return errors.Is(err, mapstore.ErrUnknownOutcome) }

// givenUp ends the ctx of a write once a condition is true, and returns its error.
func (s *suite) givenUp(write func(context.Context) error, what string, cond func() bool) error {
	s.Helper()
	ctx, cancel := context.WithCancel(s.within())
	written := make(chan error, 1)
	go func() { written <- write(ctx) }()
	s.eventually(what, cond)
	cancel()
	return <-written
}
