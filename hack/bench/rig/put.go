package rig

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A Putter writes one map in the fewest steps there are: an Update guarded by
// the resource version that the answer to the one before has brought. It works
// while nobody else writes, for one caller at a time.
type Putter struct {
	*Client
	namespace string
	object    *corev1.ConfigMap
}

// Putter returns a putter for a map that exists, with a client of its own. Close it.
func (r *Rig) Putter(ctx context.Context, name string) (*Putter, error) {
	client, err := r.Client()
	if err != nil {
		return nil, err
	}
	object, err := client.CoreV1().ConfigMaps(r.Namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		client.Close()
		return nil, err
	}
	if object.Data == nil {
		object.Data = make(map[string]string)
	}
	return &Putter{client, r.Namespace, object}, nil
}

// Update changes the map and sends it.
func (p *Putter) Update(ctx context.Context, change func(data map[string]string)) error {
	change(p.object.Data)
	answer, err := p.CoreV1().ConfigMaps(p.namespace).Update(ctx, p.object, metav1.UpdateOptions{})
	if err != nil {
		return err
	}
	p.object = answer
	return nil
}

// Set sets one entry.
func (p *Putter) Set(ctx context.Context, key, value string) error {
	return p.Update(ctx, func(data map[string]string) { data[key] = value })
}

// Revision returns the resource version of the last write.
func (p *Putter) Revision() string { return p.object.ResourceVersion }
