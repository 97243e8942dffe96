package debugpage

import (
	"net/http"
	"sync"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/watch"
)

// A Handler is the page of one store. It is an http.Handler for any path, with
// or without http.StripPrefix: all its links are relative.
type Handler struct {
	store        *mapstore.Store
	options      Options
	journal      *journal
	subscription *watch.Subscription
	live         live
	closed       chan struct{}
	closeOnce    sync.Once
}

// New returns the page of store, which need not be running yet. The page remembers
// changes from now on. New panics when store is nil or [Options.Values] is none of
// its constants.
func New(store *mapstore.Store, opts Options) *Handler {
	if store == nil {
		panic("debugpage: New with a nil store")
	}
	opts = opts.withDefaults()
	h := &Handler{
		store:   store,
		options: opts,
		journal: newJournal(store, opts),
		closed:  make(chan struct{}),
	}
	h.subscription = store.OnChange(h.journal.record)
	return h
}

// Close ends the page's subscription and, soon after, all live updates; the page can
// still be loaded. A page that lives as long as its store needs no Close: closing the
// store does the same. http.Server.Shutdown waits for live updates to end; call
// server.RegisterOnShutdown(page.Close) before. Close may be called more than once.
func (h *Handler) Close() {
	h.closeOnce.Do(func() { close(h.closed) })
	h.subscription.Stop()
}

// ServeHTTP answers GET and HEAD with the page, as HTML or JSON.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	setHeaders(w.Header())
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "The page is read-only: GET or HEAD.", http.StatusMethodNotAllowed)
		return
	}
	v, wrong := parseView(r)
	switch {
	case wrong != "":
		http.Error(w, wrong, http.StatusBadRequest)
	case v.form == formLive:
		h.serveLive(w, r, v)
	default:
		h.serve(w, v)
	}
}

// setHeaders allows the page's own script and style and nothing else. So a key or an
// error could do no harm even if it were taken for markup.
func setHeaders(header http.Header) {
	header.Set("Content-Security-Policy", contentSecurityPolicy)
	header.Set("Cache-Control", "no-store")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Vary", "Accept")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Frame-Options", "DENY")
}
