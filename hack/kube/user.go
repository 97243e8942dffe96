package kube

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
)

// User returns the configuration of a client that is this user, by impersonation, and
// has no rate limit. The user has the rights of its groups and those that Grant gives it.
func (c *ControlPlane) User(name string, groups ...string) *rest.Config {
	config := c.Config()
	config.Impersonate = rest.ImpersonationConfig{UserName: name, Groups: groups}
	return config
}

// Grant replaces the user's rights in the namespace, except those of its groups, by
// these rules. It returns once the API server decides by them. It does not end requests
// that have begun: a watch outlives the right to watch.
func (c *ControlPlane) Grant(ctx context.Context, namespace, user string, rules ...rbacv1.PolicyRule) error {
	// The authorizer learns of the role and its binding by watching them. A right that
	// nobody else has, to something that does not exist, shows when it has.
	marker := rbacv1.PolicyRule{
		APIGroups:     []string{"kube.mapstore"},
		Resources:     []string{"markers"},
		ResourceNames: []string{rand.Text()},
		Verbs:         []string{"get"},
	}
	meta := metav1.ObjectMeta{Name: "mapstore-kube:" + user, Namespace: namespace}
	rbac := c.client.RbacV1()
	// RBAC's own storage makes of an update of what does not exist a create.
	_, err := rbac.Roles(namespace).Update(ctx, &rbacv1.Role{
		ObjectMeta: meta,
		Rules:      append(slices.Clone(rules), marker),
	}, metav1.UpdateOptions{})
	if err == nil {
		_, err = rbac.RoleBindings(namespace).Update(ctx, &rbacv1.RoleBinding{
			ObjectMeta: meta,
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: meta.Name},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
		}, metav1.UpdateOptions{})
	}
	if err != nil {
		return fmt.Errorf("kube: granting: %w", err)
	}

	review := &authorizationv1.SubjectAccessReview{
		Spec: authorizationv1.SubjectAccessReviewSpec{
			User: user,
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Namespace: namespace,
				Group:     marker.APIGroups[0],
				Resource:  marker.Resources[0],
				Name:      marker.ResourceNames[0],
				Verb:      marker.Verbs[0],
			},
		},
	}
	err = wait.PollUntilContextCancel(ctx, 5*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		answer, err := c.client.AuthorizationV1().SubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
		return err == nil && answer.Status.Allowed, err
	})
	if err != nil {
		return fmt.Errorf("kube: waiting for a grant to hold: %w", err)
	}
	return nil
}
