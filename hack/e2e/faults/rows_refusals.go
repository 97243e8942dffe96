package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

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
			name: "a priority level that is full", plane: breakable, noLoss: true, user: userWithRights, hold: hold, fresh: freshWithin + 2*time.Second,
			way:   func(*testbed, *member, *rest.Config) error { return nil }, // a store sees each 429 only of a clientset as it is
			fault: fillPriorityLevel, during: expectWriteErr(apierrors.IsTooManyRequests),
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

// fillPriorityLevel lets others use up the priority level of the stores' writes. One that
// has no seats still takes one request at a time, so somebody must always be in it.
func fillPriorityLevel(ctx context.Context, b *testbed) (func(context.Context) error, error) {
	if err := makePriorityLevel(ctx, b); err != nil {
		return nil, err
	}
	config := b.plane.User(userName)
	config.QPS = -1
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	filling, stop := context.WithCancel(context.Background())
	var others sync.WaitGroup
	for range 4 {
		others.Go(func() {
			for filling.Err() == nil {
				client.CoreV1().RESTClient().Patch(types.MergePatchType).Namespace(b.namespace).Resource("configmaps").Name(mapName).
					Param("dryRun", metav1.DryRunAll).Body([]byte("{}")).MaxRetries(0).Do(filling) // at once again after a 429
			}
		})
	}
	return func(ctx context.Context) error {
		stop()
		others.Wait()
		return emptyPriorityLevel(ctx, b)
	}, nil
}

func makePriorityLevel(ctx context.Context, b *testbed) error {
	var none int32
	level := &flowcontrolv1.PriorityLevelConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: b.namespace},
		Spec: flowcontrolv1.PriorityLevelConfigurationSpec{
			Type: flowcontrolv1.PriorityLevelEnablementLimited,
			Limited: &flowcontrolv1.LimitedPriorityLevelConfiguration{
				NominalConcurrencyShares: &none, BorrowingLimitPercent: &none,
				LimitResponse: flowcontrolv1.LimitResponse{Type: flowcontrolv1.LimitResponseTypeReject},
			},
		},
	}
	schema := &flowcontrolv1.FlowSchema{
		ObjectMeta: metav1.ObjectMeta{Name: b.namespace},
		Spec: flowcontrolv1.FlowSchemaSpec{
			PriorityLevelConfiguration: flowcontrolv1.PriorityLevelConfigurationReference{Name: b.namespace},
			MatchingPrecedence:         2, // 1 is for the exempt only
			Rules: []flowcontrolv1.PolicyRulesWithSubjects{{
				Subjects: []flowcontrolv1.Subject{{Kind: flowcontrolv1.SubjectKindUser, User: &flowcontrolv1.UserSubject{Name: userName}}},
				ResourceRules: []flowcontrolv1.ResourcePolicyRule{{
					Verbs: []string{"update", "patch"}, APIGroups: []string{""}, Resources: []string{"configmaps"}, Namespaces: []string{b.namespace},
				}},
			}},
		},
	}
	levels, schemas := b.admin.FlowcontrolV1().PriorityLevelConfigurations(), b.admin.FlowcontrolV1().FlowSchemas()
	if _, err := levels.Create(ctx, level, metav1.CreateOptions{}); err != nil {
		return err
	}
	_, err := schemas.Create(ctx, schema, metav1.CreateOptions{})
	return err
}

func emptyPriorityLevel(ctx context.Context, b *testbed) error {
	return errors.Join(b.admin.FlowcontrolV1().FlowSchemas().Delete(ctx, b.namespace, metav1.DeleteOptions{}),
		b.admin.FlowcontrolV1().PriorityLevelConfigurations().Delete(ctx, b.namespace, metav1.DeleteOptions{}))
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
