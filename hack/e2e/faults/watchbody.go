package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"sync"
)

// onResponse takes charge of what a watch brings.
func (f *front) onResponse(response *http.Response) error {
	if !isWatch(response.Request) {
		return nil
	}
	if response.StatusCode == http.StatusGone {
		f.gone.Add(1)
	}
	body := &watchBody{ReadCloser: response.Body, front: f, muted: make(chan struct{}), ended: make(chan struct{})}
	body.mute = sync.OnceFunc(func() {
		f.muted.Add(1)
		close(body.muted)
	})
	body.end = sync.OnceFunc(func() {
		close(body.ended)
		body.ReadCloser.Close()
	})
	f.mu.Lock()
	defer f.mu.Unlock()
	f.watches[body] = struct{}{}
	if f.mute {
		body.mute()
	}
	response.Body = body
	// A client that leaves would be noticed by the next write to it, which a
	// muted watch never makes.
	context.AfterFunc(response.Request.Context(), body.end)
	return nil
}

// A watchBody is what a watch brings.
type watchBody struct {
	io.ReadCloser
	front        *front
	muted, ended chan struct{}
	mute, end    func()
}

func (b *watchBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	select {
	case <-b.muted:
		<-b.ended
	default:
	}
	select {
	case <-b.ended:
		return 0, io.EOF
	default:
	}
	// The server reports an expired revision by an event in a watch that has begun.
	if bytes.Contains(p[:n], []byte("too old")) {
		b.front.gone.Add(1)
	}
	return n, err
}

func (b *watchBody) Close() error {
	b.end()
	b.front.mu.Lock()
	defer b.front.mu.Unlock()
	delete(b.front.watches, b)
	return nil
}
