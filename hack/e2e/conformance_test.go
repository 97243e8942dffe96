package e2e

import (
	"testing"

	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
)

// What users' tests meet in memory is what they will meet here: the server of the
// test kit and this one pass the same suite.
func TestConformance(t *testing.T) {
	mapstoretest.Conformance(t, func(t *testing.T) mapstoretest.Cluster {
		s := newSite(t)
		return mapstoretest.Cluster{Config: s.plane.Config(), Namespace: s.namespace}
	})
}

// The same holds for stores of families.
func TestConformanceOfFamilies(t *testing.T) {
	mapstoretest.Conformance(t, func(t *testing.T) mapstoretest.Cluster {
		s := newSite(t)
		return mapstoretest.Cluster{Config: s.plane.Config(), Namespace: s.namespace, Families: true}
	})
}
