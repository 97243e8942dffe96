package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// objectRows are about what others may do to the ConfigMap, and to the right to it.
func objectRows() []row {
	hold := [2]time.Duration{4 * time.Second, time.Second}
	return []row{
		{
			name: "rights revoked and granted again", spared: true, hold: hold, user: userWithRights,
			cuts: true, during: expectWrites(apierrors.IsForbidden), fault: lasting(revoke, grant), // by their own writes: the watches outlive the rights
		},
		{
			name: "deleted under load", hold: hold, flows: true,
			fault: again(400*time.Millisecond, func(ctx context.Context, b *testbed, _ int) error { return b.outsider.Delete(ctx) }),
		},
		{
			name: "deleted and recreated under load", hold: hold, flows: true,
			fault: again(400*time.Millisecond, func(ctx context.Context, b *testbed, n int) error {
				return b.outsider.Recreate(ctx, map[string]string{"counter-0": fmt.Sprint(1000 * n)})
			}),
		},
		{
			name: "made immutable, then deleted", hold: hold,
			during: expectWrites(func(err error) bool { return errors.Is(err, mapstore.ErrImmutable) }),
			fault:  lasting(patched(`{"immutable":true}`), func(ctx context.Context, b *testbed) error { return b.outsider.Delete(ctx) }),
		},
		{
			name: "edited into nonsense", hold: [2]time.Duration{6 * time.Second, 3 * time.Second}, flows: true,
			fault: again(100*time.Millisecond, func(ctx context.Context, b *testbed, n int) error {
				return nonsense[n%len(nonsense)](ctx, b)
			}),
		},
	}
}

const userName = "faults"

func userWithRights(ctx context.Context, b *testbed) (*rest.Config, error) {
	return b.plane.User(userName), grant(ctx, b)
}

func grant(ctx context.Context, b *testbed) error {
	rights := []rbacv1.PolicyRule{storeRights()}
	if b.settings.family {
		rights = append(rights, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"list", "watch"}})
	}
	return b.plane.Grant(ctx, b.namespace, userName, rights...)
}

// revoke takes the stores' rights away.
func revoke(ctx context.Context, b *testbed) error { return b.plane.Grant(ctx, b.namespace, userName) }

// storeRights are those that the store's documentation asks for.
func storeRights() rbacv1.PolicyRule {
	return rbacv1.PolicyRule{
		APIGroups: []string{""}, Resources: []string{"configmaps"}, ResourceNames: []string{mapName},
		Verbs: []string{"get", "list", "watch", "create", "update", "patch"},
	}
}

// expectWrites expects each affected store's writes to fail in one way.
func expectWrites(to func(error) bool) func(context.Context, *testbed) error {
	return func(ctx context.Context, b *testbed) error {
		for _, m := range b.affected() {
			if err := m.client.Set(ctx, "slot-0", "never"); err == nil || !to(err) {
				return fmt.Errorf("a Set of store %s while the fault lasts: %w", m.name, err)
			}
		}
		return nil
	}
}

// nonsense is what people, and other programs, do to a ConfigMap.
var nonsense = []func(context.Context, *testbed) error{
	patched(`{"metadata":{"annotations":{"mapstore/commits":"x y \u0000 z "}}}`),
	patched(`{"metadata":{"annotations":{"mapstore/commits":"` + strings.Repeat("garbage ", 2000) + `"}}}`),
	patched(`{"metadata":{"annotations":null}}`),
	patched(`{"metadata":{"annotations":{"huge":"` + strings.Repeat("x", 200_000) + `"}}}`),
	patched(`{"metadata":{"annotations":{"huge":null},"labels":{"team":"blue"}}}`),
	patched(`{"data":{"slot-1":null},"binaryData":{"slot-1":"/wD+AA=="}}`), // not UTF-8
	patched(`{"data":{"slot-2":null},"binaryData":{"slot-2":"dGV4dA=="}}`), // text all the same
	patched(`{"data":{"counter-0":"not a number","account-0":"","slot-3":"\u0000 ü 漢 \ud83d\ude00"}}`),
	patched(`{"data":null,"binaryData":null}`),
	edited(func(object *corev1.ConfigMap, _ *testbed) { // a key moves and a commit is forgotten
		for key, value := range object.Data {
			object.BinaryData = map[string][]byte{key: []byte(value)}
			delete(object.Data, key)
			break
		}
		delete(object.Annotations, "mapstore/commits")
	}),
	edited(func(object *corev1.ConfigMap, b *testbed) { // the ids of commits are shuffled
		ids := strings.Fields(object.Annotations["mapstore/commits"])
		b.newRand().Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
		object.Annotations["mapstore/commits"] = strings.Join(ids, " ")
	}),
	func(ctx context.Context, b *testbed) error { // kubectl replace: the annotations go too
		return b.outsider.Replace(ctx, map[string]string{"counter-1": "17"})
	},
}

func patched(patch string) func(context.Context, *testbed) error {
	return func(ctx context.Context, b *testbed) error { return b.outsider.Patch(ctx, patch) }
}

// edited changes the map as kubectl edit does, again when somebody was faster.
func edited(change func(*corev1.ConfigMap, *testbed)) func(context.Context, *testbed) error {
	return func(ctx context.Context, b *testbed) error {
		for {
			err := b.outsider.Edit(ctx, func(object *corev1.ConfigMap) {
				if object.Annotations == nil {
					object.Annotations = make(map[string]string)
				}
				change(object, b)
			})
			if !apierrors.IsConflict(err) || ctx.Err() != nil {
				return err
			}
		}
	}
}
