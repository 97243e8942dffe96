package rig

import (
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync/atomic"
)

// An Exchange is what becomes of an answer to a client: what OnAnswer takes.
type Exchange = func(*http.Request, *http.Response) (*http.Response, error)

// Lose loses an answer, after the server has carried out what it was asked.
func Lose(_ *http.Request, response *http.Response) (*http.Response, error) {
	Drain(response)
	return nil, ErrLost
}

// Instead gives another answer. Client-go sends the request again by itself after
// a 429 or 5xx with Retry-After.
func Instead(status int, retryAfter bool) Exchange {
	return func(request *http.Request, response *http.Response) (*http.Response, error) {
		Drain(response)
		return Answer(request, status, retryAfter), nil
	}
}

// Answer returns an answer without a body.
func Answer(request *http.Request, status int, retryAfter bool) *http.Response {
	header := http.Header{}
	if retryAfter {
		header.Set("Retry-After", "0")
	}
	return &http.Response{
		Status: http.StatusText(status), StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, Body: http.NoBody, Request: request,
	}
}

// Page returns a page that a proxy might send in place of the server's answer.
func Page(request *http.Request, body string) *http.Response {
	page := Answer(request, http.StatusOK, false)
	page.Header.Set("Content-Type", "application/json")
	page.Body = io.NopCloser(strings.NewReader(body))
	return page
}

// Some lets an exchange happen to a share of the updates.
func Some(share float64, do Exchange) Exchange {
	return func(request *http.Request, response *http.Response) (*http.Response, error) {
		if request.Method != http.MethodPut || rand.Float64() >= share {
			return response, nil
		}
		return do(request, response)
	}
}

// Once lets an exchange happen to the next update alone.
func Once(do Exchange) Exchange {
	var done atomic.Bool
	return func(request *http.Request, response *http.Response) (*http.Response, error) {
		if request.Method != http.MethodPut || done.Swap(true) {
			return response, nil
		}
		return do(request, response)
	}
}

// Drain throws an answer away.
func Drain(response *http.Response) {
	_, _ = io.Copy(io.Discard, response.Body)
	response.Body.Close()
}
