package mapstoretest_test

import (
	"testing"

	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
)

func TestConformance(t *testing.T) { conform(t, false) }

// The same holds for stores of families.
func TestConformanceOfFamilies(t *testing.T) { conform(t, true) }

func conform(t *testing.T, families bool) {
	mapstoretest.Conformance(t, func(t *testing.T) mapstoretest.Cluster {
		return mapstoretest.Cluster{Config: mapstoretest.NewAPI(t).Config(), Namespace: "default", Families: families}
	})
}
