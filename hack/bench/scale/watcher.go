package scale

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// A watcher follows one map by one request.
type watcher struct {
	client *http.Client
	target string // the URL of the namespace's ConfigMaps
	name   string
	accept string
	notes  chan<- note
	end    context.CancelFunc // of the request; closed says when it is over
	closed chan struct{}
}

// A note is what a watcher has seen.
type note struct {
	kind string // of the event
	at   time.Time
	err  error
}

// open begins to watch from a revision, and returns once the server has answered.
func (w *watcher) open(ctx context.Context, revision string) error {
	ctx, end := context.WithCancel(context.WithoutCancel(ctx))
	query := url.Values{
		"watch":               {"1"},
		"allowWatchBookmarks": {"true"},
		"fieldSelector":       {"metadata.name=" + w.name},
		"resourceVersion":     {revision},
		"timeoutSeconds":      {"3600"}, // longer than any run
	}
	response, err := w.do(ctx, w.target+"?"+query.Encode(), w.accept)
	if err != nil {
		end()
		return err
	}
	w.end, w.closed = end, make(chan struct{})
	go w.follow(ctx, response.Body, w.closed)
	return nil
}

// follow notes each event until the request ends.
func (w *watcher) follow(ctx context.Context, body io.ReadCloser, closed chan<- struct{}) {
	defer close(closed)
	defer body.Close()
	frames := &frameReader{bufio.NewReader(body), w.accept == asJSON}
	for {
		kind, err := frames.next()
		if ctx.Err() != nil {
			return
		}
		if err == nil && kind == "ERROR" {
			err = fmt.Errorf("scale: the watch of %s was ended by the server", w.name)
		}
		select {
		case w.notes <- note{kind, time.Now(), err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// close ends the request, and returns when nothing of it runs.
func (w *watcher) close() {
	if w.end != nil {
		w.end()
		<-w.closed
	}
}

// get reads the map as a store does that reconnects, and throws it away.
func (w *watcher) get(ctx context.Context) error {
	accept, _, _ := strings.Cut(w.accept, ";")
	response, err := w.do(ctx, w.target+"/"+w.name, accept)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return err
}

func (w *watcher) do(ctx context.Context, target, accept string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", accept)
	response, err := w.client.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("scale: the server answered %s", response.Status)
	}
	return response, nil
}
