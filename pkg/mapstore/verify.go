package mapstore

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// verbs are the rights that a store uses: the first three to read, the others
// to write; the last one, with patch, to create the map.
var verbs = []string{"get", "list", "watch", "update", "patch", "create"}

// Verify asks the API server whether the caller has each right that the store
// may use: get, list and watch to read, and update, patch and create to write.
// It changes nothing, and need not be started or synced.
//
// When rights are missing, the error names each of them, and
// apierrors.IsForbidden holds for it. For a store that only reads, denials of
// update, patch and create are as they should be. Verify returns [ErrClosed]
// when the store is closed, and otherwise what the API server or network said.
func (s *Store) Verify(ctx context.Context) error {
	ctx, done, err := s.call(ctx)
	if err != nil {
		return err
	}
	defer done()
	var denied []string
	for _, verb := range verbs {
		allowed, err := s.remote.May(ctx, verb)
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
	return fmt.Errorf("mapstore: in namespace %s: %w", s.remote.Namespace(), apierrors.NewForbidden(
		corev1.Resource("configmaps"), s.remote.Name(), fmt.Errorf("the caller may not %s it", strings.Join(denied, ", "))))
}
