package remote

import "k8s.io/apimachinery/pkg/util/resourceversion"

// Newer reports whether revision a is newer than b. If the two cannot be compared, such as
// those of a fake clientset, a counts as newer: only the order of arrival is known.
func Newer(a, b string) bool {
	order, err := resourceversion.CompareResourceVersion(a, b)
	return err != nil || order > 0
}

// Older reports whether revision a is older than b. If the two cannot be compared, it is not.
func Older(a, b string) bool {
	order, err := resourceversion.CompareResourceVersion(a, b)
	return err == nil && order < 0
}
