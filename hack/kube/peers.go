package kube

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"
)

// Peers is the network between the members of etcd. Each member reaches another through that
// one's front, which carries requests and answers alike, and knows from a header of etcd's
// (X-Server-From) who sends. The few requests without it, such as probes, carry nothing that
// decides anything.
type Peers struct {
	fronts []*http.Server // of each member
	tasks  sync.WaitGroup // that serve them

	mu      sync.Mutex // protects all below
	members map[string]int
	cutOff  map[int]bool
	lag     map[int]time.Duration
	changed chan struct{} // closed when one of the two changes
}

// startPeers starts a front for each member: on the ports of fronts, to those of members.
func startPeers(fronts, members []int) (*Peers, error) {
	p := &Peers{members: make(map[string]int), cutOff: make(map[int]bool), lag: make(map[int]time.Duration), changed: make(chan struct{})}
	for i := range fronts {
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", fronts[i]))
		if err != nil {
			return nil, errors.Join(err, p.close())
		}
		transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 16}
		proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: fmt.Sprintf("127.0.0.1:%d", members[i])})
		proxy.FlushInterval = -1 // a stream of messages is one long answer
		proxy.Transport = transport
		proxy.ErrorLog = log.New(io.Discard, "", 0) // that members are gone is nothing new
		proxy.ModifyResponse = func(response *http.Response) error {
			response.Body = &peerBody{ReadCloser: response.Body, pass: func() { p.pass(response.Request, i, false) }}
			return nil
		}
		server := &http.Server{ReadHeaderTimeout: 10 * time.Second, ErrorLog: proxy.ErrorLog}
		server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			p.pass(r, i, true)
			proxy.ServeHTTP(w, r)
		})
		server.RegisterOnShutdown(transport.CloseIdleConnections)
		p.fronts = append(p.fronts, server)
		p.tasks.Go(func() { _ = server.Serve(listener) }) // until close
	}
	return p, nil
}

// CutOff lets nothing through any more between this member and the others, as a network does that
// drops everything: what is on its way arrives when Heal is called, if it is still wanted then.
func (p *Peers) CutOff(member int) { p.change(func() { p.cutOff[member] = true }) }

// Delay lets whatever is sent to this member take so much longer.
func (p *Peers) Delay(member int, by time.Duration) { p.change(func() { p.lag[member] = by }) }

// Heal ends all that CutOff and Delay have begun.
func (p *Peers) Heal() { p.change(func() { clear(p.cutOff); clear(p.lag) }) }

func (p *Peers) change(how func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	how()
	close(p.changed)
	p.changed = make(chan struct{})
}

// know says which member etcd calls by this id.
func (p *Peers) know(id string, member int) { p.change(func() { p.members[id] = member }) }

// pass returns when the request may go on to the member, or its answer may go back from there,
// or the request has ended.
func (p *Peers) pass(r *http.Request, member int, there bool) {
	for {
		p.mu.Lock()
		// Asked for each time: etcd opens its streams before anybody knows who is who.
		sender, known := p.members[r.Header.Get("X-Server-From")]
		held := known && (p.cutOff[sender] || p.cutOff[member])
		lag, changed := p.lag[member], p.changed
		if !there {
			lag = p.lag[sender]
		}
		p.mu.Unlock()
		if !known || !held && lag == 0 {
			return
		}
		var late <-chan time.Time
		if !held {
			late = time.After(lag)
		}
		select {
		case <-late:
			return
		case <-changed:
		case <-r.Context().Done():
			return
		}
	}
}

// close ends the network, when the members are gone and with them their connections.
func (p *Peers) close() error {
	p.Heal()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var err error
	for _, front := range p.fronts {
		err = errors.Join(err, front.Shutdown(ctx))
	}
	p.tasks.Wait()
	return err
}

// A peerBody holds back what it has read until it may pass.
type peerBody struct {
	io.ReadCloser
	pass func()
}

func (b *peerBody) Read(buf []byte) (int, error) {
	n, err := b.ReadCloser.Read(buf)
	b.pass()
	return n, err
}
