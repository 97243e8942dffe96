package debugpage

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"
)

// live is what all viewers of the page share. It has no goroutine: each viewer waits
// in the one of its HTTP request, and the first to wake up in an interval renders
// for all. It keeps what it has rendered, and no version of the map.
type live struct {
	mu      sync.Mutex // protects all below, and is held while rendering
	viewers int
	slot    int64         // the interval in which parts and keys were rendered
	parts   []part        // in the order of the page
	keys    map[view]part // of those views that somebody has asked for
	ended   bool          // nothing will change any more
}

// A part is one section of the page.
type part struct{ name, html string }

func (l *live) enter(limit int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.viewers >= limit {
		return false
	}
	l.viewers++
	return true
}

func (l *live) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.viewers--
	if l.viewers == 0 {
		l.slot, l.parts, l.keys = 0, nil, nil
	}
}

// frame returns the parts of the page as of the current interval, and whether
// they are the last.
func (h *Handler) frame(v view) (parts []part, ended bool) {
	l := &h.live
	l.mu.Lock()
	defer l.mu.Unlock()
	snapshot := h.store.Snapshot()
	if slot := time.Now().UnixNano() / int64(interval); slot != l.slot {
		report := h.report(snapshot)
		l.slot, l.ended = slot, report.Status.State == closed
		l.parts, l.keys = nil, make(map[view]part)
		for _, name := range sections {
			l.parts = append(l.parts, part{name, render(name, report)})
		}
	}
	keys, ok := l.keys[v]
	if !ok {
		keys = part{"keys", render("keys", h.list(snapshot, v))}
		l.keys[v] = keys
	}
	return append(slices.Clip(l.parts), keys), l.ended
}

// serveLive sends the page's parts, and then those that have changed, until the
// browser leaves or reads nothing for too long, or the store or the page is closed.
func (h *Handler) serveLive(w http.ResponseWriter, r *http.Request, v view) {
	if h.isOver() {
		w.WriteHeader(http.StatusNoContent) // tells an EventSource not to come again
		return
	}
	if !h.live.enter(h.options.Viewers) {
		w.Header().Set("Retry-After", "15")
		http.Error(w, "Too many browsers follow the page. Without updates it can still be loaded.", http.StatusServiceUnavailable)
		return
	}
	defer h.live.leave()
	out := &stream{w, http.NewResponseController(w), make(map[string]string)}
	if err := out.begin(); errors.Is(err, http.ErrNotSupported) {
		http.Error(w, "The server cannot send live updates. The page can be loaded.", http.StatusNotImplemented)
		return
	} else if err != nil {
		return // the browser does not even read the header
	}
	if r.Method == http.MethodHead {
		return
	}
	for {
		parts, ended := h.frame(v.list())
		if err := out.send(parts); err != nil || ended || !h.nextInterval(r.Context()) {
			return
		}
	}
}

// isOver reports whether the store or the page is closed.
func (h *Handler) isOver() bool {
	select {
	case <-h.closed:
		return true
	default:
		return h.status(h.store.Snapshot()).State == closed
	}
}

// nextInterval waits for the next interval. It returns false when the browser has
// left or the page is closed.
func (h *Handler) nextInterval(ctx context.Context) bool {
	timer := time.NewTimer(interval - time.Duration(time.Now().UnixNano())%interval)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-h.closed:
	}
	return false
}
