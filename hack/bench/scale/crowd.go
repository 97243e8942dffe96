package scale

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"

	"golang.org/x/sync/errgroup"

	"github.com/unrolled/mapstore/v2/hack/bench/rig"
)

// mapName is the map that all watch.
const mapName = "scale"

// A crowd is many watchers of one map.
type crowd struct {
	*rig.Rig
	watchers []*watcher
	seen     chan sighting
}

// A watcher follows the map by one request on a connection of its own.
type watcher struct {
	client *rig.Client
	end    context.CancelFunc // of the request; closed says when it is over
	closed chan struct{}
}

// A sighting is that a watcher has seen a change, or cannot see any more.
type sighting struct {
	at    time.Time
	bytes int
	err   error
}

// newCrowd makes room for more changes than any crowd is behind.
func newCrowd(r *rig.Rig) *crowd { return &crowd{Rig: r, seen: make(chan sighting, 10_000)} }

// grow adds watchers, up to a number, that watch from a revision.
func (c *crowd) grow(ctx context.Context, number int, revision string) error {
	var group errgroup.Group
	group.SetLimit(16) // a thousand handshakes at once are another measurement
	for len(c.watchers) < number {
		client, err := c.Client()
		if err != nil {
			return errors.Join(err, group.Wait())
		}
		w := &watcher{client: client, closed: make(chan struct{})}
		c.watchers = append(c.watchers, w)
		group.Go(func() error { return c.open(ctx, w, revision) })
	}
	return group.Wait()
}

// open begins to watch, and returns once the server has answered. There are no
// bookmarks: each event is a change.
func (c *crowd) open(ctx context.Context, w *watcher, revision string) error {
	ctx, w.end = context.WithCancel(context.WithoutCancel(ctx))
	timeout := int64(3600) // longer than any run
	body, err := w.client.CoreV1().RESTClient().Get().Namespace(c.Namespace).Resource("configmaps").
		VersionedParams(&metav1.ListOptions{
			Watch: true, FieldSelector: "metadata.name=" + mapName, ResourceVersion: revision, TimeoutSeconds: &timeout,
		}, scheme.ParameterCodec).
		SetHeader("Accept", "application/vnd.kubernetes.protobuf;stream=watch").Stream(ctx)
	if err != nil {
		close(w.closed)
		return err
	}
	go func() {
		defer close(w.closed)
		defer body.Close()
		buffered := bufio.NewReader(body)
		for err := error(nil); err == nil && ctx.Err() == nil; {
			var bytes int
			bytes, err = nextChange(buffered)
			select {
			case c.seen <- sighting{time.Now(), bytes, err}:
			case <-ctx.Done():
			}
		}
	}()
	return nil
}

// nextChange reads over one event of a watch, without decoding it, and returns its size.
// Any event but a change is an error, such as one by which the server ends the watch.
func nextChange(body *bufio.Reader) (int, error) {
	var length [4]byte
	if _, err := io.ReadFull(body, length[:]); err != nil {
		return 0, err
	}
	// A WatchEvent's first field is its type: the tag of a string, its length, its bytes.
	const modified = "\x0a\x08MODIFIED"
	if head, err := body.Peek(len(modified)); err != nil || string(head) != modified {
		return 0, errors.Join(errors.New("scale: a watch sent something else than a change"), err)
	}
	n, err := body.Discard(int(binary.BigEndian.Uint32(length[:])))
	return len(length) + n, err
}

// await waits until each watcher has seen one change, and returns when the last had, and
// how many bytes all were sent.
func (c *crowd) await(ctx context.Context) (last time.Time, sent int, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	last = time.Now() // without watchers
	for i := range c.watchers {
		select {
		case s := <-c.seen:
			if s.err != nil {
				return last, sent, s.err
			}
			last, sent = s.at, sent+s.bytes
		case <-ctx.Done():
			return last, sent, fmt.Errorf("%d of %d watchers have not seen a change: %w", len(c.watchers)-i, len(c.watchers), ctx.Err())
		}
	}
	return last, sent, nil
}

// close ends all requests and connections, and returns when nothing of them runs.
func (c *crowd) close() {
	for _, w := range c.watchers {
		w.end()
		<-w.closed
		w.client.Close()
	}
}
