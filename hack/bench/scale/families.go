package scale

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"golang.org/x/sync/errgroup"

	"github.com/unrolled/mapstore/v2/hack/bench/rig"
)

// A Crowd is what was measured of so many maps, one way of following all of them.
type Crowd struct {
	Maps    int
	Way     string
	Watches int64         // that are open
	Sync    time.Duration // until all maps are there
	Heap    float64       // bytes of the process, for each map
	Live    float64       // bytes of heap and stacks of the API server
	CPU     float64       // of the API server, seconds for a change of one of the maps
	Took    []time.Duration
}

const (
	familyLabel = "scale"
	oneKey      = "key"
	manyBytes   = 1000 // of the one value of each map
)

// manyMaps are many maps with one label.
type manyMaps struct {
	*rig.Rig
	maps    int
	client  *rig.Client
	server  *server
	written int
}

func (m *manyMaps) name(i int) string { return fmt.Sprintf("%s-%d-%05d", familyLabel, m.maps, i) }
func (m *manyMaps) selector() string  { return fmt.Sprintf("%s=of-%d", familyLabel, m.maps) }

// Crowds measures each way of following many maps, in a minute for a thousand of them.
func Crowds(ctx context.Context, r *rig.Rig, numbers []int, changes int, window time.Duration, say func(format string, args ...any)) ([]Crowd, error) {
	var all []Crowd
	for _, number := range numbers {
		m := &manyMaps{Rig: r, maps: number}
		say("%d maps", number)
		if err := m.create(ctx); err != nil {
			return nil, err
		}
		rows, err := m.measure(ctx, changes, window, say)
		if err != nil {
			return nil, fmt.Errorf("scale: %d maps: %w", number, err)
		}
		all = append(all, rows...)
	}
	return all, nil
}

func (m *manyMaps) create(ctx context.Context) error {
	admin, err := m.Client()
	if err != nil {
		return err
	}
	defer admin.Close()
	var group errgroup.Group
	group.SetLimit(16)
	for i := range m.maps {
		group.Go(func() error {
			object := rig.Object(m.Namespace, m.name(i), 0, 0)
			object.Labels = map[string]string{familyLabel: fmt.Sprintf("of-%d", m.maps)}
			object.Data = map[string]string{oneKey: value(i, manyBytes)}
			_, err := admin.CoreV1().ConfigMaps(m.Namespace).Create(ctx, object, metav1.CreateOptions{})
			return err
		})
	}
	return group.Wait()
}

func (m *manyMaps) measure(ctx context.Context, changes int, window time.Duration, say func(format string, args ...any)) (rows []Crowd, err error) {
	for _, way := range ways {
		if way.most > 0 && m.maps > way.most {
			continue
		}
		say("    %s", way.name)
		row, err := m.row(ctx, way, changes, window)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", way.name, err)
		}
		rows = append(rows, *row)
	}
	return rows, nil
}

// row measures one way.
func (m *manyMaps) row(ctx context.Context, way way, changes int, window time.Duration) (_ *Crowd, err error) {
	if m.client, err = m.Client(); err != nil {
		return nil, err
	}
	defer m.client.Close()
	if m.server, err = newServer(ctx, m.client, window); err != nil {
		return nil, err
	}
	row := &Crowd{Maps: m.maps, Way: way.name}
	told := newSightings()
	before, heap, watches := time.Now(), rig.LiveHeap(), m.client.Watches()
	stop, err := way.follow(ctx, m, told.saw)
	if stop != nil {
		defer stop()
	}
	if err != nil {
		return nil, err
	}
	if err := told.awaitMaps(ctx, m.maps); err != nil {
		return nil, err
	}
	row.Sync = time.Since(before)
	row.Watches = m.client.Watches() - watches
	row.Heap = (rig.LiveHeap() - heap) / float64(m.maps)
	if row.Live, err = m.server.live(ctx); err != nil {
		return nil, err
	}
	began := time.Now()
	spent, err := m.server.spent(ctx, func() error {
		for range changes {
			took, err := m.change(ctx, told)
			if err != nil {
				return err
			}
			row.Took = append(row.Took, took)
		}
		return nil
	})
	spent -= m.server.share * time.Since(began).Seconds()
	row.CPU = max(spent, tick/2) / float64(changes)
	return row, err
}

// change changes one of the maps, and returns how long it takes until the callback knows.
func (m *manyMaps) change(ctx context.Context, told *sightings) (time.Duration, error) {
	m.written++
	name := m.name(rand.IntN(m.maps)) // which one is what is random here
	next := value(1_000_000+m.written, manyBytes)
	patch := fmt.Sprintf(`{"data":{%q:%q}}`, oneKey, next)
	seen := told.expect(name, next)
	began := time.Now()
	if _, err := m.client.CoreV1().ConfigMaps(m.Namespace).Patch(ctx, name, types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
		return 0, err
	}
	select {
	case at := <-seen:
		return at.Sub(began), nil
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-time.After(time.Minute):
		return 0, fmt.Errorf("a change of %s has not come within a minute", name)
	}
}

// Foreign measures what a change of a ConfigMap costs the API server for each watch by a label
// that the ConfigMap does not have, in seconds of its CPU.
func Foreign(ctx context.Context, r *rig.Rig, watches, changes int, window time.Duration) (float64, error) {
	client, err := r.Client()
	if err != nil {
		return 0, err
	}
	defer client.Close()
	if err := r.Create(ctx, "foreign", 1, manyBytes); err != nil {
		return 0, err
	}
	server, err := newServer(ctx, client, window)
	if err != nil {
		return 0, err
	}
	written := 0
	change := func() (float64, error) {
		began := time.Now()
		spent, err := server.spent(ctx, func() error {
			for range changes {
				written++
				patch := fmt.Sprintf(`{"data":{%q:%q}}`, oneKey, value(written, manyBytes))
				if _, err := client.CoreV1().ConfigMaps(r.Namespace).Patch(ctx, "foreign", types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
					return err
				}
			}
			return nil
		})
		return spent - server.share*time.Since(began).Seconds(), err
	}
	without, err := change()
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for range watches {
		w, err := client.CoreV1().ConfigMaps(r.Namespace).Watch(ctx, metav1.ListOptions{LabelSelector: familyLabel + "=nobody"})
		if err != nil {
			return 0, err
		}
		defer w.Stop()
	}
	with, err := change()
	return max(with-without, tick/2) / float64(changes*watches), err
}

// sightings are what a way was told of.
type sightings struct {
	mu    sync.Mutex // protects all below
	maps  map[string]bool
	name  string
	value string
	seen  chan time.Time
}

func newSightings() *sightings { return &sightings{maps: make(map[string]bool)} }

func (s *sightings) saw(name, value string) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.maps[name] = true
	if s.seen != nil && name == s.name && value == s.value {
		s.seen <- now
		s.seen = nil
	}
}

func (s *sightings) expect(name, value string) <-chan time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.name, s.value, s.seen = name, value, make(chan time.Time, 1)
	return s.seen
}

// awaitMaps waits until so many maps have been seen.
func (s *sightings) awaitMaps(ctx context.Context, number int) error {
	for ; ; time.Sleep(time.Millisecond) {
		s.mu.Lock()
		n := len(s.maps)
		s.mu.Unlock()
		if n >= number || ctx.Err() != nil {
			return ctx.Err()
		}
	}
}
