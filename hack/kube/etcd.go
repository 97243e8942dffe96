package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
)

// memberName returns the name of a member of etcd, which is also that of its data folder.
func memberName(i int) string {
	if i == 0 {
		return etcdDir
	}
	return fmt.Sprintf("%s-%d", etcdDir, i)
}

// startEtcd starts the members of etcd on two ports each, the first for clients. None is
// ready before most of them run.
func (c *ControlPlane) startEtcd(ctx context.Context, binary string, ports []int) error {
	url := func(i int) string { return fmt.Sprintf("http://127.0.0.1:%d", ports[i]) }
	var clients, peers []string
	for i := range c.Members {
		clients = append(clients, url(2*i))
		peers = append(peers, memberName(i)+"="+url(2*i+1))
	}
	c.etcdURL = strings.Join(clients, ",")
	errs := make([]error, len(c.Members))
	var starts sync.WaitGroup
	for i, member := range c.Members {
		member.argv = []string{
			binary,
			"--name=" + memberName(i),
			// Relative to the run's folder, which the guard moves and removes: by an absolute
			// path a dying etcd has been seen to make it anew.
			"--data-dir=" + memberName(i),
			"--listen-client-urls=" + clients[i],
			"--advertise-client-urls=" + clients[i],
			"--listen-peer-urls=" + url(2*i+1),
			"--initial-advertise-peer-urls=" + url(2*i+1),
			"--initial-cluster=" + strings.Join(peers, ","),
			"--log-level=warn",
		}
		member.probe = func(ctx context.Context) error {
			_, err := get(ctx, c.probes, clients[i]+"/health")
			return err
		}
		starts.Go(func() { errs[i] = member.Restart(ctx) })
	}
	starts.Wait()
	return errors.Join(errs...)
}

// Leader returns the member of etcd that leads the others, and one that does not.
func (c *ControlPlane) Leader(ctx context.Context) (leader, follower *Process, err error) {
	for i, url := range strings.Split(c.etcdURL, ",") {
		var status struct {
			Leader string
			Header struct {
				MemberID string `json:"member_id"`
			}
		}
		body, err := post(ctx, c.probes, url+"/v3/maintenance/status", "{}")
		if err == nil {
			err = json.Unmarshal(body, &status)
		}
		switch {
		case err != nil:
			return nil, nil, fmt.Errorf("kube: the leader of etcd: %w", err)
		case status.Leader == status.Header.MemberID:
			leader = c.Members[i]
		default:
			follower = c.Members[i]
		}
	}
	if leader == nil {
		return nil, nil, errors.New("kube: etcd has no leader")
	}
	return leader, follower, nil
}
