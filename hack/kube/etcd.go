package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/unrolled/mapstore/v2/hack/wire"
)

// memberName returns the name of a member of etcd, which is also that of its data folder.
func memberName(i int) string {
	if i == 0 {
		return etcdDir
	}
	return fmt.Sprintf("%s-%d", etcdDir, i)
}

// portsPerMember are those for clients, for peers, and for the front that peers come by.
const portsPerMember = 3

// startEtcd starts the members of etcd on these ports. None is ready before most of them run.
func (c *ControlPlane) startEtcd(ctx context.Context, binary string, ports []int) error {
	url := func(port int) string { return fmt.Sprintf("http://127.0.0.1:%d", port) }
	n := len(c.Members)
	clients, peers, fronts := ports[:n], ports[n:2*n], ports[2*n:]
	if n == 1 {
		fronts = peers
	} else if err := c.startNetwork(clients[0], peers, fronts); err != nil {
		return err
	}
	var urls, cluster []string
	for i := range c.Members {
		urls = append(urls, url(clients[i]))
		cluster = append(cluster, memberName(i)+"="+url(fronts[i]))
	}
	c.etcdURL = strings.Join(urls, ",")
	errs := make([]error, n)
	var starts sync.WaitGroup
	for i, member := range c.Members {
		member.argv = []string{
			binary,
			"--name=" + memberName(i),
			// Relative to the run's folder, which the guard moves and removes: by an absolute
			// path a dying etcd has been seen to make it anew.
			"--data-dir=" + memberName(i),
			"--listen-client-urls=" + urls[i],
			"--advertise-client-urls=" + urls[i],
			"--listen-peer-urls=" + url(peers[i]),
			"--initial-advertise-peer-urls=" + url(fronts[i]),
			"--initial-cluster=" + strings.Join(cluster, ","),
			"--log-level=warn",
		}
		member.probe = func(ctx context.Context) error {
			_, err := get(ctx, c.probes, urls[i]+"/health")
			return err
		}
		starts.Go(func() { errs[i] = member.Restart(ctx) })
	}
	starts.Wait()
	if err := errors.Join(errs...); err != nil || n == 1 {
		return err
	}
	for i := range c.Members {
		status, err := c.member(ctx, i)
		if err != nil {
			return err
		}
		c.Peers.know(strconv.FormatUint(status.id, 16), i)
	}
	return nil
}

// startNetwork starts what lies between the members, and before the first one's port for clients.
func (c *ControlPlane) startNetwork(client int, peers, fronts []int) (err error) {
	if c.Peers, err = startPeers(fronts, peers); err != nil {
		return err
	}
	c.EtcdWire, err = wire.New(fmt.Sprintf("127.0.0.1:%d", client), rand.New(rand.NewPCG(0, 0)))
	return err
}

// A memberStatus is what a member of etcd says of itself, and whom it takes for the leader.
type memberStatus struct{ id, leader uint64 }

func (c *ControlPlane) member(ctx context.Context, i int) (memberStatus, error) {
	var answer struct {
		Leader uint64 `json:",string"`
		Header struct {
			MemberID uint64 `json:"member_id,string"`
		}
	}
	body, err := c.askMember(ctx, i, "/v3/maintenance/status", "{}")
	if err == nil {
		err = json.Unmarshal(body, &answer)
	}
	return memberStatus{answer.Header.MemberID, answer.Leader}, err
}

func (c *ControlPlane) askMember(ctx context.Context, i int, path, body string) ([]byte, error) {
	return post(ctx, c.probes, strings.Split(c.etcdURL, ",")[i]+path, body)
}

// MakeLeader makes a member of etcd the leader of the others.
func (c *ControlPlane) MakeLeader(ctx context.Context, member int) error {
	for {
		err := c.tryLeader(ctx, member)
		if err == nil {
			return nil
		}
		select {
		case <-time.After(100 * time.Millisecond): // there may just be an election
		case <-ctx.Done():
			return fmt.Errorf("kube: etcd takes no other leader: %w", err)
		}
	}
}

// tryLeader returns nil if all members take this one for their leader, and asks for it if not.
func (c *ControlPlane) tryLeader(ctx context.Context, member int) error {
	wanted, err := c.member(ctx, member)
	if err != nil {
		return err
	}
	var others error
	for i := range c.Members {
		status, err := c.member(ctx, i)
		if err != nil {
			return err
		}
		if status.leader != wanted.id {
			others = errors.Join(others, fmt.Errorf("member %d takes another for the leader", i))
		}
		if status.leader == status.id && status.id != wanted.id {
			_, err = c.askMember(ctx, i, "/v3/maintenance/transfer-leadership", fmt.Sprintf(`{"targetID":"%d"}`, wanted.id))
			others = errors.Join(others, err)
		}
	}
	return others
}
