// Package mapstore turns one Kubernetes ConfigMap into a small, shared,
// reactive key/value map.
package mapstore
