package mapstore

import (
	"fmt"
	"math/bits"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

const (
	// maxValueBytes is how many bytes all values of a ConfigMap may have together.
	// Source: ValidateConfigMap in kubernetes/pkg/apis/core/validation.
	maxValueBytes = 1 << 20

	// maxObjectBytes is etcd's default limit for one request, --max-request-bytes.
	maxObjectBytes = 3 << 19

	// objectOverhead allows for what etcd's request has besides the object's entries
	// and metadata: its own framing, and a ledger that may still grow. Managed fields
	// do not count: a server drops them if they make an object too large.
	// Source: apiserver/pkg/endpoints/handlers/update.go.
	objectOverhead = 1 << 10
)

func validateName(namespace, name string) error {
	if err := validateNamespace(namespace); err != nil {
		return err
	}
	if problems := validation.IsDNS1123Subdomain(name); len(problems) > 0 {
		return fmt.Errorf("%w: ConfigMap %q: %s", ErrInvalidName, name, strings.Join(problems, ", "))
	}
	return nil
}

func validateNamespace(namespace string) error {
	if problems := validation.IsDNS1123Label(namespace); len(problems) > 0 {
		return fmt.Errorf("%w: namespace %q: %s", ErrInvalidName, namespace, strings.Join(problems, ", "))
	}
	return nil
}

func validateKey(key string) error {
	if problems := validation.IsConfigMapKey(key); len(problems) > 0 {
		return fmt.Errorf("%w: %.300q: %s", ErrInvalidKey, key, strings.Join(problems, ", "))
	}
	return nil
}

// A size is how much of the two limits a map uses. It is updated entry by entry.
type size struct {
	values int // bytes of values
	object int // bytes of the stored object, without its metadata
}

func (s *size) add(key, value string) {
	s.values += len(value)
	s.object += entryBytes(key, value)
}

func (s *size) remove(key, value string) {
	s.values -= len(value)
	s.object -= entryBytes(key, value)
}

// entryBytes is how many bytes one entry, a protobuf map entry, adds to the stored
// object.
func entryBytes(key, value string) int {
	return fieldBytes(fieldBytes(len(key)) + fieldBytes(len(value)))
}

// fieldBytes is the size of a length-delimited protobuf field of n bytes.
func fieldBytes(n int) int {
	return 1 + (bits.Len(uint(n|1))+6)/7 + n
}

// checkGrowth returns ErrTooLarge if a map that grows from s to next exceeds a limit. A
// map that others have made too large may still shrink.
func (s size) checkGrowth(next size, metadata int) error {
	if next.values > maxValueBytes && next.values > s.values {
		return fmt.Errorf("%w: %d bytes of values, of %d", ErrTooLarge, next.values, maxValueBytes)
	}
	if total := next.object + metadata + objectOverhead; total > maxObjectBytes && next.object > s.object {
		return fmt.Errorf("%w: about %d bytes with keys and metadata, of %d", ErrTooLarge, total, maxObjectBytes)
	}
	return nil
}
