package mapstoretest

import (
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"sync"
)

// A wire is a transport to a handler in this process. It uses channels instead of a
// socket, so that the clock of a synctest bubble advances while one end waits for
// the other.
type wire struct {
	handler  http.Handler
	handlers sync.WaitGroup // one for each request until it is answered
}

// RoundTrip returns as soon as the handler begins to answer. The handler runs
// until it has answered or the body is closed.
func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	traceSent(r)
	ctx, cancel := context.WithCancel(r.Context())
	reader, writer := io.Pipe()
	answer := &answer{header: make(http.Header), body: writer, begun: make(chan struct{})}
	w.handlers.Go(func() {
		defer writer.Close()                    //nolint:errcheck // always nil
		defer answer.WriteHeader(http.StatusOK) // for one that has answered nothing
		w.handler.ServeHTTP(answer, r.Clone(ctx))
		if r.Body != nil {
			_ = r.Body.Close() // it has been read, as far as it will be
		}
	})
	select {
	case <-answer.begun:
	case <-r.Context().Done():
		cancel()
		reader.Close()
		return nil, r.Context().Err()
	}
	if trace := httptrace.ContextClientTrace(r.Context()); trace != nil && trace.GotFirstResponseByte != nil {
		trace.GotFirstResponseByte()
	}
	return &http.Response{
		StatusCode: answer.code, Status: strconv.Itoa(answer.code) + " " + http.StatusText(answer.code),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: answer.header.Clone(), ContentLength: -1, Request: r,
		Body: &body{PipeReader: reader, cancel: cancel},
	}, nil
}

// traceSent reports to the request's httptrace what net/http would report once the
// request is sent. A store knows by it whether its request can have been applied.
func traceSent(r *http.Request) {
	trace := httptrace.ContextClientTrace(r.Context())
	if trace == nil {
		return
	}
	if trace.GetConn != nil {
		trace.GetConn(r.URL.Host)
	}
	if trace.GotConn != nil {
		trace.GotConn(httptrace.GotConnInfo{Reused: true})
	}
	if trace.WroteHeaders != nil {
		trace.WroteHeaders()
	}
	if trace.WroteRequest != nil {
		trace.WroteRequest(httptrace.WroteRequestInfo{})
	}
}

// A body is the body of a response. Closing it ends the request.
type body struct {
	*io.PipeReader
	cancel context.CancelFunc
}

func (b *body) Close() error {
	b.cancel()
	return b.PipeReader.Close()
}

// An answer is the handler's side of a response.
type answer struct {
	header http.Header
	body   *io.PipeWriter
	once   sync.Once
	code   int           // set before begun is closed
	begun  chan struct{} // closed when header and code stand
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(code int) {
	a.once.Do(func() {
		a.code = code
		close(a.begun)
	})
}

func (a *answer) Write(data []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(data)
}

// Flush has nothing to do: what is written is read or waited with.
func (a *answer) Flush() {}
