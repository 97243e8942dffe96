package main

import (
	"context"
	"net/url"
	"sync"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/unrolled/mapstore/v2/hack/e2e/checker"
	"github.com/unrolled/mapstore/v2/hack/e2e/rig"
	"github.com/unrolled/mapstore/v2/hack/wire"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// A member is one store, with connections of its own as another process would
// have, and what lies between it and the API server.
type member struct {
	rig.Tally
	name    string
	store   *mapstore.Store
	client  *checker.Client
	http    *rig.Client
	network *rig.Network
	wire    *wire.Wire // nil without one
}

// newMember starts a store that reaches the server of config by the row's way.
func (b *testbed) newMember(ctx context.Context, config *rest.Config) (*member, error) {
	m := &member{name: "abcdefgh"[len(b.members):][:1], network: &rig.Network{}}
	if b.row.wired {
		server, err := url.Parse(config.Host)
		if err != nil {
			return nil, err
		}
		if m.wire, err = wire.New(server.Host, b.newRand()); err != nil {
			return nil, err
		}
		b.onClose(m.wire.Close)
		config.Host = "https://" + m.wire.Address() // which the certificate is good for too
	}
	if b.row.way != nil {
		m.network = nil // of a transport of its own a store does not know when a request is sent
		if err := b.row.way(b, m, config); err != nil {
			return nil, err
		}
	}
	var err error
	if m.http, err = rig.NewClient(config, m.network); err != nil {
		return nil, err
	}
	b.onClose(m.http.Cut)
	var client kubernetes.Interface = m.http
	if b.row.way != nil {
		client = m.http.Clientset
	}
	if m.store, err = b.startStore(client); err != nil {
		return nil, err
	}
	m.client = b.run.Client(m.name, m.store)
	ctx, cancel := context.WithTimeout(ctx, rig.Patience)
	defer cancel()
	return m, m.store.WaitForSync(ctx)
}

// startStore runs a store, or the family that it is of, until the testbed is closed.
func (b *testbed) startStore(client kubernetes.Interface) (*mapstore.Store, error) {
	if b.settings.family {
		family, err := mapstore.NewFamily(client, b.namespace, checker.FamilyLabel+"="+mapName, b.row.stores)
		if err != nil {
			return nil, err
		}
		b.runUntilClosed(family)
		return family.Store(mapName), nil
	}
	store, err := mapstore.New(client, b.namespace, mapName, b.row.stores)
	if err != nil {
		return nil, err
	}
	b.runUntilClosed(store)
	return store, nil
}

func (b *testbed) runUntilClosed(r interface {
	Start(ctx context.Context) error
	Close() error
}) {
	var running sync.WaitGroup
	running.Go(func() {
		_ = r.Start(context.Background()) // it ends by Close, as the rows that need it to check
	})
	b.onClose(func() {
		_ = r.Close()
		running.Wait()
	})
}

// affected returns the members that the fault is between: all, or all but the last
// one, so that somebody goes on writing and the others miss it.
func (b *testbed) affected() []*member {
	if b.row.spared {
		return b.members[:len(b.members)-1]
	}
	return b.members
}

// writers returns the members that write.
func (b *testbed) writers() []*member {
	if b.row.quiet {
		return b.members[len(b.affected()):]
	}
	return b.members
}
