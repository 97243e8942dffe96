package memapi

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiwatch "k8s.io/apimachinery/pkg/watch"
)

const (
	// bookmarkInterval is how often a watch that asks for bookmarks gets one.
	bookmarkInterval = time.Minute

	// watchTimeout ends a watch that names no timeout of its own.
	watchTimeout = 30 * time.Minute
)

// watch sends the commits after the revision that the client names, and goes on with
// new ones until the client goes away or the time is up. Without a revision it begins
// with the current objects. It waits for a future revision.
func (s *Server) watch(w http.ResponseWriter, req *request) {
	from, current := 0, false
	switch revision := req.query.Get("resourceVersion"); {
	case isTrue(req.query.Get("sendInitialEvents")), revision == "", revision == "0":
		current = true
	default:
		var err error
		if from, err = parseRevision(revision); err != nil {
			ReplyError(w, err)
			return
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	out := &stream{frames: json.NewEncoder(w), flush: http.NewResponseController(w).Flush}
	out.flushed()
	if current {
		from = s.sendCurrent(out, req)
	}
	s.follow(out, req, from)
}

// sendCurrent sends the current objects, and returns their revision.
func (s *Server) sendCurrent(out *stream, req *request) int {
	s.log.mu.Lock()
	objects, revision := s.log.matchingLocked(req), s.log.revision
	s.log.mu.Unlock()
	for _, object := range objects {
		out.send(apiwatch.Added, object)
	}
	if isTrue(req.query.Get("sendInitialEvents")) && isTrue(req.query.Get("allowWatchBookmarks")) {
		out.bookmark(revision, map[string]string{metav1.InitialEventsAnnotationKey: "true"})
	}
	return revision
}

func (s *Server) follow(out *stream, req *request, from int) {
	var bookmarks <-chan time.Time
	if isTrue(req.query.Get("allowWatchBookmarks")) {
		ticker := time.NewTicker(bookmarkInterval)
		defer ticker.Stop()
		bookmarks = ticker.C
	}
	timeout := watchTimeout
	if seconds, err := strconv.Atoi(req.query.Get("timeoutSeconds")); err == nil && seconds > 0 {
		timeout = time.Duration(seconds) * time.Second
	}
	end := time.NewTimer(timeout)
	defer end.Stop()
	expire := controlOf(req.Context()).Expire
	for out.err == nil {
		s.log.mu.Lock()
		due, gone, now, news := s.log.sinceLocked(from), from < s.log.compacted, s.log.revision, s.log.newsLocked()
		s.log.mu.Unlock()
		if gone {
			out.sendStatus(expired(formatRevision(from)))
			return
		}
		for _, e := range due {
			out.sendEvent(req, e)
		}
		from = max(from, now)
		out.flushed()
		select {
		case <-news:
		case <-bookmarks:
			out.bookmark(from, nil)
		case <-expire:
			out.sendStatus(expired(formatRevision(from)))
			return
		case <-end.C:
			return
		case <-req.Context().Done():
			return
		}
	}
}

// A stream is the answer to a watch: one JSON object for each frame.
type stream struct {
	frames *json.Encoder
	flush  func() error
	err    error // the first one: the client is gone
}

func (out *stream) send(kind apiwatch.EventType, object any) {
	if out.err == nil {
		out.err = out.frames.Encode(map[string]any{"type": kind, "object": typed(object)})
	}
}

// sendEvent sends a commit as the client's selector sees it: an object that begins to
// match is added, and one that no longer matches is deleted.
func (out *stream) sendEvent(req *request, e event) {
	before, after := req.matches(e.before), e.kind != apiwatch.Deleted && req.matches(e.object)
	switch {
	case after && before:
		out.send(apiwatch.Modified, e.object)
	case after:
		out.send(apiwatch.Added, e.object)
	case before:
		last := *e.before
		last.ResourceVersion = e.object.ResourceVersion
		out.send(apiwatch.Deleted, &last)
	}
}

func (out *stream) bookmark(revision int, annotations map[string]string) {
	mark := &corev1.ConfigMap{}
	mark.ResourceVersion, mark.Annotations = formatRevision(revision), annotations
	out.send(apiwatch.Bookmark, mark)
}

func (out *stream) sendStatus(status metav1.Status) {
	out.send(apiwatch.Error, &status)
	out.flushed()
}

func (out *stream) flushed() {
	if out.err == nil {
		out.err = out.flush()
	}
}
