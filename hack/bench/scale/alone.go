package scale

import (
	"context"
	"time"
)

// alone measures what changes cost before anybody watches: the write itself, and what
// the API server and etcd keep of it.
func (w *writer) alone(ctx context.Context) error {
	w.say("    nobody watches, %d changes", w.Alone)
	// etcd gives back the pages of what was before when next it commits.
	if _, err := w.change(ctx); err != nil {
		return err
	}
	idle, etcdIdle, err := w.both(ctx)
	if err != nil {
		return err
	}
	before, err := w.apiServer.metrics(ctx)
	if err != nil {
		return err
	}
	a := Alone{Series: w.Series, Changes: w.Alone}
	began := time.Now()
	for range a.Changes {
		sent, err := w.change(ctx)
		if err != nil {
			return err
		}
		a.Took = append(a.Took, time.Since(sent))
	}
	elapsed := time.Since(began)
	after, err := w.apiServer.metrics(ctx)
	if err != nil {
		return err
	}
	etcdAfter, err := w.etcd.metrics(ctx)
	if err != nil {
		return err
	}
	full, etcdFull, err := w.both(ctx)
	if err != nil {
		return err
	}
	each := func(before, after float64) float64 { return (after - before) / float64(a.Changes) }
	a.CPU = w.cpu(before, after, elapsed, a.Changes)
	a.Live = each(idle.live(), full.live())
	a.EtcdCPU = max(each(etcdIdle.cpu(), etcdAfter.cpu()), tick/2/float64(a.Changes))
	a.Raft = each(etcdIdle.live(), etcdFull.live())
	const db, fsync = "etcd_mvcc_db_total_size_in_use_in_bytes", "etcd_disk_wal_fsync_duration_seconds"
	a.DB = each(etcdIdle[db], etcdFull[db])
	syncs := etcdAfter[fsync+"_count"] - etcdIdle[fsync+"_count"]
	a.Fsync = time.Duration((etcdAfter[fsync+"_sum"] - etcdIdle[fsync+"_sum"]) / max(syncs, 1) * float64(time.Second))
	w.result.Alone = append(w.result.Alone, a)
	return nil
}

// both returns the metrics of the two servers at rest.
func (w *writer) both(ctx context.Context) (apiServer, etcd metrics, err error) {
	if etcd, err = w.etcd.collected(ctx); err != nil {
		return nil, nil, err
	}
	// etcd commits to its database every 100 ms, and tells its size after that.
	for same := 0; same < 3; {
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
		next, err := w.etcd.collected(ctx)
		if err != nil {
			return nil, nil, err
		}
		const db = "etcd_mvcc_db_total_size_in_use_in_bytes"
		if same++; next[db] != etcd[db] {
			same = 0
		}
		etcd = next
	}
	apiServer, err = w.apiServer.collected(ctx)
	return apiServer, etcd, err
}
