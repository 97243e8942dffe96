package checker

import (
	"fmt"
	"strconv"

	"k8s.io/apimachinery/pkg/types"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// A view is a version of the map as a store shows it. The zero view is what a
// store shows that has not been synced.
type view struct {
	revision int64
	exists   bool
	uid      types.UID
	contents contents
}

// A read is a call that returned a view.
type read struct {
	client string
	span
	view view
}

func (r *Run) view(s *mapstore.Snapshot) view {
	return view{revision: revisionOf(s.Revision()), exists: s.Exists(), uid: s.UID(), contents: r.pool.take(s.All())}
}

// revisionOf returns 0 for the empty revision, and -1, which no version has,
// for one that is not a number.
func revisionOf(s string) int64 {
	if s == "" {
		return 0
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return -1
	}
	return n
}

func (v view) String() string {
	if !v.exists {
		return fmt.Sprintf("absent at %d", v.revision)
	}
	return fmt.Sprintf("version %d", v.revision)
}
