package main

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/unrolled/mapstore/v2/hack/e2e/rig"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// admissionRows are about policies that change what the stores write. (One that keeps
// something else than was sent is tested in pkg/mapstore: the checker knows who wrote what,
// and would miss it.)
func admissionRows() []row {
	strip := func(_, sent *corev1.ConfigMap) []operation {
		if _, ok := sent.Annotations["mapstore/commits"]; !ok {
			return nil
		}
		return []operation{{"remove", "/metadata/annotations/mapstore~1commits", nil}}
	}
	revert := func(old, _ *corev1.ConfigMap) []operation { return []operation{{"add", "/data", old.Data}} }
	hold := [2]time.Duration{5 * time.Second, time.Second}
	var stripped, reverted atomic.Int64
	return []row{
		{
			name: "an admission policy takes the ledger off, and answers are lost", hold: hold, user: userWithRights, flows: true,
			fault: both(policy(strip, &stripped), lasting(
				each(func(m *member) { m.network.OnAnswer(rig.Some(0.1, rig.Lose)) }),
				each(func(m *member) { m.network.OnAnswer(nil) }),
			)),
			proof: proof{"writes changed", func(*testbed) int64 { return stripped.Load() }, 10},
		},
		{
			name: "an admission policy reverts each write", hold: hold, user: userWithRights,
			fault: policy(revert, &reverted),
			during: expectWrites(func(err error) bool {
				return !errors.Is(err, mapstore.ErrUnknownOutcome) && !errors.Is(err, context.DeadlineExceeded)
			}),
			proof: proof{"writes changed", func(*testbed) int64 { return reverted.Load() }, 10},
		},
	}
}

// An operation is one of a JSON patch.
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value,omitempty"`
}

// policy is an admission webhook that changes the stores' updates of the map, and counts
// them.
func policy(change func(old, sent *corev1.ConfigMap) []operation, changed *atomic.Int64) fault {
	return func(ctx context.Context, b *testbed) (func(context.Context) error, error) {
		server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var review admissionv1.AdmissionReview
			if err := json.NewDecoder(r.Body).Decode(&review); err != nil || review.Request == nil {
				http.Error(w, "no review", http.StatusBadRequest)
				return
			}
			review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: true}
			if review.Request.UserInfo.Username == userName {
				if err := patch(&review, change); err != nil {
					http.Error(w, err.Error(), http.StatusBadRequest)
					return
				}
				changed.Add(1)
			}
			review.Request = nil
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(review)
		}))
		b.onClose(server.Close)

		name := "mapstore-" + b.namespace
		webhooks := b.admin.AdmissionregistrationV1().MutatingWebhookConfigurations()
		lift := func(ctx context.Context) error { return webhooks.Delete(ctx, name, metav1.DeleteOptions{}) }
		none, ignore := admissionregistrationv1.SideEffectClassNone, admissionregistrationv1.Ignore
		_, err := webhooks.Create(ctx, &admissionregistrationv1.MutatingWebhookConfiguration{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Webhooks: []admissionregistrationv1.MutatingWebhook{{
				Name: "faults.mapstore.test",
				ClientConfig: admissionregistrationv1.WebhookClientConfig{
					URL:      &server.URL,
					CABundle: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
				},
				Rules: []admissionregistrationv1.RuleWithOperations{{
					Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Update},
					Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"configmaps"}},
				}},
				NamespaceSelector:       &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: b.namespace}},
				FailurePolicy:           &ignore,
				SideEffects:             &none,
				AdmissionReviewVersions: []string{"v1"},
			}},
		}, metav1.CreateOptions{})
		if err != nil {
			return nil, err
		}
		before := changed.Load() // a server takes a moment to learn of it
		if err := rig.Until(ctx, rig.Patience, func() bool { return changed.Load() > before }); err != nil {
			return nil, errors.Join(fmt.Errorf("the webhook is never called: %w", err), lift(ctx))
		}
		return lift, nil
	}
}

// patch puts what change makes of the update under review into its response.
func patch(review *admissionv1.AdmissionReview, change func(old, sent *corev1.ConfigMap) []operation) error {
	var old, sent corev1.ConfigMap
	if err := errors.Join(json.Unmarshal(review.Request.OldObject.Raw, &old), json.Unmarshal(review.Request.Object.Raw, &sent)); err != nil {
		return err
	}
	operations := change(&old, &sent)
	if len(operations) == 0 {
		return nil
	}
	body, err := json.Marshal(operations)
	kind := admissionv1.PatchTypeJSONPatch
	review.Response.Patch, review.Response.PatchType = body, &kind
	return err
}
