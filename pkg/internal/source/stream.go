package source

import (
	"context"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiwatch "k8s.io/apimachinery/pkg/watch"

	"github.com/unrolled/mapstore/v2/pkg/internal/backoff"
	"github.com/unrolled/mapstore/v2/pkg/internal/remote"
)

// A stream is a watch, and what to release when it ends.
type stream struct {
	apiwatch.Interface
	stop  context.CancelFunc // ends the watch, or what opens it; for any goroutine
	idle  *time.Timer        // calls stop when the server has been silent for too long
	ended func()
	once  sync.Once
}

// Stop is called by the reflector, for whatever reason the watch has ended.
func (s *stream) Stop() {
	s.once.Do(func() {
		s.idle.Stop()
		s.ended()
	})
	s.stop()
	s.Interface.Stop()
}

// watch opens a watch. If the reflector has not listed since the last watch, it first
// lists, to make sure that the server has not gone back in time: a watch from a revision
// that the server has not reached yet would bring nothing until it has.
func (src *Source) watch(ctx context.Context, options metav1.ListOptions) (apiwatch.Interface, error) {
	if err := src.pace(ctx); err != nil {
		return nil, err
	}
	if !src.listed {
		list, err := src.relist(ctx)
		if err != nil {
			return nil, err
		}
		if remote.Older(list.ResourceVersion, options.ResourceVersion) {
			return nil, apierrors.NewResourceExpired(fmt.Sprintf("the server is at revision %s again", list.ResourceVersion))
		}
		// The reflector's own revision may be too old for a server that has just
		// started.
		options.ResourceVersion = list.ResourceVersion
	}
	src.listed = false

	ctx, stop := context.WithCancel(ctx)
	opened := &stream{stop: stop, ended: src.disconnected}
	src.open.Store(opened)
	if src.target.IsBehind() {
		stop()
	}
	isQuiet := make(chan struct{}, 1)
	answered := make(chan error, 1)
	go func() {
		var err error
		opened.Interface, err = src.remote.Watch(ctx, remote.Timeouts{Connect: remote.Again.Connect, FirstByte: src.maxSilence()}, options, func() {
			select {
			case isQuiet <- struct{}{}:
			default:
			}
		})
		answered <- err
	}()
	for counts := false; ; {
		select {
		case <-isQuiet:
			// A proxy may keep the answer back until there is an event. The list has made the
			// copy current, and the request is on its way: the watch is as good as open.
			counts = true
			src.connected()
		case err := <-answered:
			switch {
			case err == nil:
				src.began = time.Now()
				src.watches.Add(1)
				src.connected()
				src.Heard()
			case counts, ctx.Err() != nil: // it ends as a watch that has brought nothing
				opened.Interface = apiwatch.NewEmptyWatch()
			default:
				stop()
				return nil, err
			}
			// A watch that brings nothing, not even a bookmark, may have lost its server
			// unnoticed. So it is ended after a while, and opening the next one asks the
			// server before the copy counts as stale.
			opened.idle = time.AfterFunc(src.maxSilence(), stop)
			context.AfterFunc(ctx, opened.Interface.Stop) // a transport may not end a body with its ctx
			return opened, nil
		}
	}
}

// pace waits if several watches in a row have ended within a second, as a proxy may end them.
// The reflector does so only for those that have brought nothing, not even a bookmark.
func (src *Source) pace(ctx context.Context) error {
	began, ended := src.began, src.Link.Load().ended
	if src.began = (time.Time{}); began.IsZero() || ended.IsZero() {
		return nil // attempts that fail are the reflector's to pace
	}
	if ended.Sub(began) >= time.Second {
		src.brief, src.pause = 0, backoff.New(src.options.MaxBackoff)
		return nil
	}
	if src.brief++; src.brief < 3 {
		return nil
	}
	return src.pause.Wait(ctx)
}

// Reopen ends the watch, so that the next one begins with a list.
func (src *Source) Reopen() {
	if w := src.open.Load(); w != nil {
		w.stop()
	}
}

// maxSilence is how long a watch may bring nothing. It is more than a second, because
// the reflector counts a watch that ends within its first second as failed if it brought
// nothing.
func (src *Source) maxSilence() time.Duration {
	return max(src.options.StaleAfter/2, 1100*time.Millisecond)
}

// deniedInterval is how often a denial may open the watch anew. Some denials are about one
// write only, such as an admission policy's.
const deniedInterval = 30 * time.Second

// Met is called with what a request that is none of the source's has met, or nil. A server goes on
// serving a watch after the right to it was revoked, for minutes. So if it denies
// something else, the watch is opened anew, which finds out what is true for reads.
func (src *Source) Met(err error) {
	last := src.denied.Load()
	if !remote.IsDenied(err) || last != nil && time.Since(*last) < deniedInterval {
		return
	}
	now := time.Now()
	if src.denied.CompareAndSwap(last, &now) {
		src.Reopen()
	}
}
