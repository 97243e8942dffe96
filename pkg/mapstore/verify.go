package mapstore

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/unrolled/mapstore/v2/pkg/internal/remote"
)

// verbs are the rights that a store uses: get, list and watch to read; update to write;
// patch and create to create the map.
var verbs = []string{"get", "list", "watch", "update", "patch", "create"}

// Verify asks the API server whether the caller has each right that the store may use:
// get, list and watch to read, and update, patch and create to write. It changes
// nothing. The store need not be started or synced.
//
// If rights are missing, the error names each of them, and apierrors.IsForbidden holds
// for it. A store that only reads does not need update, patch and create. Verify returns
// [ErrClosed] when the store is closed, and otherwise the error of the API server or the
// network.
func (s *Store) Verify(ctx context.Context) error {
	ctx, done, err := s.call(ctx)
	if err != nil {
		return err
	}
	defer done()
	return verify(ctx, s.remote, verbs)
}

// verify asks for each right to a map, or to a whole family.
func verify(ctx context.Context, m *remote.Map, verbs []string) error {
	var denied []string
	for _, verb := range verbs {
		allowed, err := m.May(ctx, verb)
		if err != nil {
			return fmt.Errorf("mapstore: cannot ask for the right to %s: %w", verb, err)
		}
		if !allowed {
			denied = append(denied, verb)
		}
	}
	if len(denied) == 0 {
		return nil
	}
	return fmt.Errorf("mapstore: in namespace %s: %w", m.Namespace(), apierrors.NewForbidden(
		corev1.Resource("configmaps"), m.Name(), fmt.Errorf("the caller may not %s it", strings.Join(denied, ", "))))
}
