package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

	"github.com/unrolled/mapstore/v2/hack/bench/rig"
)

// A prepared server answers from memory, with bytes that were encoded once, so
// that what remains to be measured is the client. A watch brings one event over
// and over, each time with the next revision, as often as it is told.
type prepared struct {
	keys  int
	list  []byte
	frame []byte // the event, with its length before it
	at    int    // where in the frame the revision stands

	last   atomic.Int64 // revision of the newest event that was served
	orders chan int     // how many events to serve
	served chan struct{}
}

// firstPrepared is the revision of the map before any event. All have as many digits.
const firstPrepared = 1_000_000_000

const preparedName = "prepared"

func newPrepared(keys, bytesEach int) (*prepared, error) {
	p := &prepared{keys: keys, orders: make(chan int), served: make(chan struct{})}
	p.last.Store(firstPrepared)
	object := rig.Object(metav1.NamespaceDefault, preparedName, keys, bytesEach)
	object.UID, object.ResourceVersion = "5be6ad4c-5d0c-4d3b-9c5e-1f2a3b4c5d6e", strconv.Itoa(firstPrepared)

	info, ok := runtime.SerializerInfoForMediaType(scheme.Codecs.SupportedMediaTypes(), runtime.ContentTypeProtobuf)
	if !ok {
		return nil, errors.New("client-go has no protobuf")
	}
	encoder := scheme.Codecs.EncoderForVersion(info.Serializer, corev1.SchemeGroupVersion)
	var err error
	p.list, err = runtime.Encode(encoder, &corev1.ConfigMapList{
		ListMeta: metav1.ListMeta{ResourceVersion: object.ResourceVersion},
		Items:    []corev1.ConfigMap{*object},
	})
	if err != nil {
		return nil, err
	}
	raw, err := runtime.Encode(encoder, object)
	if err != nil {
		return nil, err
	}
	var event bytes.Buffer
	stream := info.StreamSerializer
	err = stream.Encode(&metav1.WatchEvent{Type: "MODIFIED", Object: runtime.RawExtension{Raw: raw}}, &event)
	if err != nil {
		return nil, err
	}
	p.frame = binary.BigEndian.AppendUint32(nil, uint32(event.Len())) //nolint:gosec // about a megabyte
	p.frame = append(p.frame, event.Bytes()...)
	p.at = bytes.Index(p.frame, []byte(object.ResourceVersion))
	if p.at < 0 || bytes.Count(p.frame, []byte(object.ResourceVersion)) != 1 {
		return nil, fmt.Errorf("the revision is not in the event exactly once")
	}
	return p, nil
}

// client returns a client of the server.
func (p *prepared) client() (*kubernetes.Clientset, error) {
	return kubernetes.NewForConfigAndClient(&rest.Config{Host: "http://prepared.invalid", QPS: -1}, &http.Client{Transport: p})
}

// RoundTrip answers a list or a watch.
func (p *prepared) RoundTrip(request *http.Request) (*http.Response, error) {
	response := &http.Response{
		StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: request,
		Header: http.Header{"Content-Type": {runtime.ContentTypeProtobuf}},
		Body:   io.NopCloser(bytes.NewReader(p.list)),
	}
	if request.URL.Query().Has("watch") {
		response.Header.Set("Content-Type", runtime.ContentTypeProtobuf+";stream=watch")
		response.Body = p.body()
	}
	return response, nil
}

func (p *prepared) body() *preparedBody {
	return &preparedBody{p: p, closed: make(chan struct{})}
}

// serve has the watch bring n events, and returns when the last has been read.
func (p *prepared) serve(n int) {
	p.orders <- n
	<-p.served
}

// A preparedBody is what a watch brings.
type preparedBody struct {
	p         *prepared
	closed    chan struct{}
	close     sync.Once
	remaining int    // events to serve
	rest      []byte // of the event that is being read
}

// Read copies from the frame, as a connection copies from its buffer.
func (b *preparedBody) Read(buf []byte) (int, error) {
	if len(b.rest) == 0 {
		if b.remaining == 0 {
			select {
			case b.remaining = <-b.p.orders:
			case <-b.closed:
				return 0, io.EOF
			}
		}
		revision := b.p.last.Add(1)
		strconv.AppendInt(b.p.frame[b.p.at:b.p.at], revision, 10) // as long as the one before
		b.rest = b.p.frame
	}
	n := copy(buf, b.rest)
	if b.rest = b.rest[n:]; len(b.rest) == 0 {
		if b.remaining--; b.remaining == 0 {
			b.p.served <- struct{}{}
		}
	}
	return n, nil
}

// Close ends the watch.
func (b *preparedBody) Close() error {
	b.close.Do(func() { close(b.closed) })
	return nil
}
