package mapstore

import (
	"fmt"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/unrolled/mapstore/v2/pkg/internal/ledger"
)

// Options adjusts a [Store]. The zero value is the recommended one.
type Options struct {
	// Logger receives what an operator should know. These are all the lines:
	//
	//	"Synced" (info 0): the first sync has found the map; its cluster, revision and number of keys
	//	"The map does not exist; the first write creates it" (info 0): the first sync has found none; in which cluster
	//	"The map does not exist, though Options.MustExist is set" (error): the same, if MustExist is set
	//	"Synced the family" (info 0): the first sync of a [Family]; its cluster and the number of maps
	//	"Not synced yet" (info 0): three seconds after Start, with the cluster and what is waited for
	//	"Cannot follow the API server yet; there is no copy of the map" (info 0): an outage before the first sync, with the cluster and the reason
	//	"Cannot follow the API server; serving the last known state" (info 0): once for each outage, with the reason
	//	"Following the API server again" (info 0): the outage is over; how long after it was noticed, and after the last sign of the server
	//	"The API server has gone back in time; following it" (info 0): from and to which revision
	//	"The API server does not keep the ledger" (error): once, when a commit's id has not arrived: see [Stats].Unsigned
	//	"The backup is not used" (info 0): the file that Options.Backup names is no good, with the reason
	//	"Cannot write the backup" (error): once until it can be written again, with the reason
	//	"A change callback panicked" (error): the panic, without anything that might quote a value, and the stack
	//
	// Values and Deriveds of package typed write these:
	//
	//	"A value is rejected; serving the last good one" (error): a Value or Derived cannot use the new text of a key, with the reason
	//	"A value is accepted again" (info 0): it can use the text, or the key is gone
	//	"What decodes a value panicked" (error): a codec, a validation or Derive's function panicked; with the same details
	//
	// Errors are what somebody has to mend; the rest changes by itself. Each line has the
	// ConfigMap's namespace and name, or the namespace and selector of a Family, and none contains a value of the map. Zero: silent.
	Logger logr.Logger

	// Namespace overrides the environment's namespace for [Open]. [New] takes the
	// namespace as an argument, and refuses a different one here. Zero: the
	// environment's namespace.
	Namespace string

	// FieldManager names the store in the ConfigMap's managed fields, at most
	// 128 printable characters. Zero: "mapstore".
	FieldManager string

	// StaleAfter is how long the API server may be silent before [Status].Err says
	// so. A server sends a bookmark about once a minute even when nothing changes.
	// After half of StaleAfter without a sign, the store opens its watch anew, which
	// takes two requests. So a shorter StaleAfter costs requests, and finds a server
	// that hangs, or a proxy that has lost its server, sooner. Other outages do not
	// wait for it: a broken or refused connection shows in Status within two seconds,
	// and a server that leaves a write, and then a read, unanswered within four (a
	// second more for each 10 kB of the map, which a slow link may need to send it).
	// Zero: 150 s, which is two bookmarks and a margin.
	StaleAfter time.Duration

	// MaxBackoff caps the jittered, doubling delay between two attempts to
	// reconnect, and between two attempts of a write that met a conflict or
	// could not reach the server. Zero: 2 s.
	MaxBackoff time.Duration

	// WriteTimeout is how long a write keeps trying when its ctx has no
	// deadline. Zero: 30 s.
	WriteTimeout time.Duration

	// Backup names a file that keeps the last known state of the map, so that the
	// program can start while the API server cannot be reached. Start reads it: its
	// contents are the map's first version, for reads, WaitUntil, OnChange and typed
	// values, until the server's first answer. WaitForSync waits for that answer, and so
	// do writes; [Status] says since when the contents may be out of date. If the file
	// is missing, damaged, too old or of another map, the log says so, and the store
	// starts as it does without one.
	//
	// The store writes the file anew when the map has changed, at most about once a
	// second, and when it ends: to a temporary file beside it, which is synced and
	// renamed. The folder must exist. The file's mode is 0600; values lie in it as they
	// are. A failure to write has no other effect than a line in the log and
	// [Stats].BackupFailures. Zero: no backup.
	Backup string

	// BackupMaxAge is how old a backup may be to be used. If it is set, the store also
	// renews the file of a map that does not change, each half of BackupMaxAge while the
	// copy is current, so that its age is the time since the state was last known to be
	// current. Zero: no limit.
	BackupMaxAge time.Duration

	// MustExist makes a map that does not exist an error, for which apierrors.IsNotFound
	// holds, of [Store.WaitForSync], [Open], [Status] and Check, so that a misspelt name
	// does not go unnoticed. The store does not create such a map: writes return the
	// error too. Once somebody else has created it, all is well. Zero: a map that does
	// not exist is an empty one, and the first write creates it.
	MustExist bool

	// Metadata is what a map has that this store creates, each time that it does. Zero:
	// nothing.
	Metadata Metadata
}

// Metadata belongs to a ConfigMap when a store creates it, at first and again after it
// was deleted. A ConfigMap that exists is left as it is.
//
// If an owner is gone, Kubernetes deletes what it owns, also what is created then. So a
// store whose map has an owner should end with it.
type Metadata struct {
	Labels          map[string]string
	Annotations     map[string]string
	OwnerReferences []metav1.OwnerReference
}

func (m Metadata) clone() Metadata {
	object := metav1.ObjectMeta{Labels: m.Labels, Annotations: m.Annotations, OwnerReferences: m.OwnerReferences}
	object = *object.DeepCopy()
	return Metadata{object.Labels, object.Annotations, object.OwnerReferences}
}

// validate returns ErrInvalidArgument for what Kubernetes would refuse, or what is the
// store's own.
func (m Metadata) validate(namespace, name string) error {
	object := metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: m.Labels, Annotations: m.Annotations, OwnerReferences: m.OwnerReferences}
	if errs := apivalidation.ValidateObjectMeta(&object, true, apivalidation.NameIsDNSSubdomain, field.NewPath("Options", "Metadata")); len(errs) > 0 {
		return fmt.Errorf("%w: %w", ErrInvalidArgument, errs.ToAggregate())
	}
	if _, ok := m.Annotations[ledger.Annotation]; ok {
		return fmt.Errorf("%w: Options.Metadata has the annotation %s, which is the store's own", ErrInvalidArgument, ledger.Annotation)
	}
	if absentMap := newSnapshot(&corev1.ConfigMap{ObjectMeta: object}); absentMap.ledgerRoom() < ledger.MinRoom {
		return fmt.Errorf("%w: Options.Metadata leaves no room for the annotation %s", ErrInvalidArgument, ledger.Annotation)
	}
	return nil
}

func (o Options) withDefaults() (Options, error) {
	for _, d := range []struct {
		name  string
		value *time.Duration
		usual time.Duration
	}{
		{"StaleAfter", &o.StaleAfter, 150 * time.Second},
		{"MaxBackoff", &o.MaxBackoff, 2 * time.Second},
		{"WriteTimeout", &o.WriteTimeout, 30 * time.Second},
		{"BackupMaxAge", &o.BackupMaxAge, 0},
	} {
		if *d.value < 0 {
			return o, fmt.Errorf("%w: Options.%s is negative: %v", ErrInvalidArgument, d.name, *d.value)
		}
		if *d.value == 0 {
			*d.value = d.usual
		}
	}
	if o.FieldManager == "" {
		o.FieldManager = "mapstore"
	}
	if errs := metav1validation.ValidateFieldManager(o.FieldManager, field.NewPath("Options", "FieldManager")); len(errs) > 0 {
		return o, fmt.Errorf("%w: %w", ErrInvalidArgument, errs.ToAggregate())
	}
	return o, nil
}
