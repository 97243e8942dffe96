package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/unrolled/mapstore/v2/hack/e2e/rig"
)

// refusalRows are about servers that take no writes for a while, and say so by a 5xx or a
// 429: nothing is applied, and nothing is of unknown outcome.
func refusalRows() []row {
	hold := [2]time.Duration{5 * time.Second, 2 * time.Second}
	full := func(err error) bool {
		return apierrors.IsInternalError(err) || strings.Contains(fmt.Sprint(err), "database space exceeded")
	}
	return []row{
		{
			name: "an admission webhook that is down", noLoss: true, hold: hold, fresh: freshWithin + 2*time.Second,
			fault: lasting(breakWebhook, mendWebhook), during: expectWriteErr(apierrors.IsInternalError),
		},
		{
			name: "an etcd that is full", plane: breakable, noLoss: true, hold: hold,
			fault: lasting(alarm(pb.AlarmRequest_ACTIVATE), alarm(pb.AlarmRequest_DEACTIVATE)), during: expectWriteErr(full),
		},
	}
}

// expectWriteErr expects each affected store to say why it cannot write.
func expectWriteErr(says func(error) bool) func(context.Context, *testbed) error {
	return func(ctx context.Context, b *testbed) error {
		for _, m := range b.affected() {
			why := func() error { return m.store.Status().WriteErr }
			if err := rig.Until(ctx, rig.Patience, func() bool { return why() != nil && says(why()) }); err != nil {
				return fmt.Errorf("Status().WriteErr of store %s is %w", m.name, errors.Join(why(), err))
			}
		}
		return nil
	}
}

func breakWebhook(ctx context.Context, b *testbed) error {
	fail, none, limit, nowhere := admissionv1.Fail, admissionv1.SideEffectClassNone, int32(1), "https://127.0.0.1:1/"
	_, err := b.admin.AdmissionregistrationV1().ValidatingWebhookConfigurations().Create(ctx, &admissionv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: b.namespace},
		Webhooks: []admissionv1.ValidatingWebhook{{
			Name: "down.mapstore.test", ClientConfig: admissionv1.WebhookClientConfig{URL: &nowhere},
			FailurePolicy: &fail, SideEffects: &none, TimeoutSeconds: &limit, AdmissionReviewVersions: []string{"v1"},
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": b.namespace}},
			Rules: []admissionv1.RuleWithOperations{{
				Operations: []admissionv1.OperationType{admissionv1.Update},
				Rule:       admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"configmaps"}},
			}},
		}},
	}, metav1.CreateOptions{})
	return err
}

func mendWebhook(ctx context.Context, b *testbed) error {
	return b.admin.AdmissionregistrationV1().ValidatingWebhookConfigurations().Delete(ctx, b.namespace, metav1.DeleteOptions{})
}

// alarm raises etcd's alarm that its space is used up, or ends it.
func alarm(action pb.AlarmRequest_AlarmAction) func(context.Context, *testbed) error {
	return func(ctx context.Context, b *testbed) error {
		client, err := clientv3.New(clientv3.Config{Endpoints: []string{b.plane.EtcdURL()}, DialTimeout: 10 * time.Second})
		if err != nil {
			return err
		}
		defer client.Close() //nolint:errcheck // what matters has been answered
		members, err := client.MemberList(ctx)
		if err != nil {
			return err
		}
		maintenance := pb.NewMaintenanceClient(client.ActiveConnection())
		for _, m := range members.Members {
			if _, err := maintenance.Alarm(ctx, &pb.AlarmRequest{Action: action, MemberID: m.ID, Alarm: pb.AlarmType_NOSPACE}); err != nil {
				return err
			}
		}
		return nil
	}
}
