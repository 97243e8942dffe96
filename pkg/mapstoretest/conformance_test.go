package mapstoretest_test

import (
	"testing"

	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
)

func TestConformance(t *testing.T) {
	for name, families := range map[string]bool{"stores": false, "families": true} {
		t.Run(name, func(t *testing.T) {
			mapstoretest.Conformance(t, func(t *testing.T) mapstoretest.Cluster {
				return mapstoretest.Cluster{Config: mapstoretest.NewAPI(t).Config(), Namespace: "default", Families: families}
			})
		})
	}
}
