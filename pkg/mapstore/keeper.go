package mapstore

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/unrolled/mapstore/v2/pkg/internal/backup"
	"github.com/unrolled/mapstore/v2/pkg/internal/remote"
	"github.com/unrolled/mapstore/v2/pkg/internal/source"
)

// A keeper keeps the last known state in the file that [Options].Backup names. It follows
// the replica as a subscriber does, so that nobody waits for the disk.
type keeper struct {
	file    backup.File // "": there is nothing to keep
	options Options
	remote  *remote.Map
	source  *source.Source
	local   atomic.Pointer[replica] // a family may give the map another one

	// Used by Start's goroutine before and after run, and by run.
	saved   uint64    // the sequence number of the version in the file
	failing bool      // the last attempt has failed
	renews  bool      // when run ended, the copy was current
	current time.Time // when run ended, or before an outage

	written, failures atomic.Uint64 // for Stats
}

const (
	// backupInterval is how long the keeper rests after it has written.
	backupInterval = time.Second

	// maxBackupRetry caps the doubling delay between attempts that fail.
	maxBackupRetry = time.Minute
)

func newKeeper(remote *remote.Map, source *source.Source, local *replica, options Options) *keeper {
	k := &keeper{file: backup.File(options.Backup), options: options, remote: remote, source: source}
	k.local.Store(local)
	return k
}

// now returns the newest version.
func (k *keeper) now() *Snapshot { return k.local.Load().load() }

// restore makes what is in the file the first version of the map, if it can be used.
func (k *keeper) restore() {
	if k.file == "" {
		return
	}
	k.file.Sweep()
	state, err := k.file.Read()
	if err == nil {
		err = state.Check(k.remote.Namespace(), k.remote.Name(), time.Now(), k.options.BackupMaxAge)
	}
	if err != nil {
		logUnused(k.options, err)
		return
	}
	k.local.Load().restore(restoredSnapshot(state))
}

func logUnused(options Options, err error) {
	options.Logger.Info("The backup is not used", "file", options.Backup, "reason", err.Error())
}

// run writes each version that lasts, until ctx is done.
func (k *keeper) run(ctx context.Context) {
	if k.file == "" {
		return
	}
	for pause := backupInterval; k.awaitReason(ctx) == nil; {
		if current, _ := k.asOf(); k.save(current) {
			pause = backupInterval
		} else {
			pause = min(2*pause, maxBackupRetry)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
	k.current, k.renews = k.asOf()
}

// finish writes what has come since, or renews what is there, so that the file says until
// when the copy was current. Nothing may come any more.
func (k *keeper) finish() {
	if k.file != "" && (k.renews || k.isNews(k.now())) {
		k.save(k.current)
	}
}

// awaitReason blocks until there is a reason to write, or ctx is done.
func (k *keeper) awaitReason(ctx context.Context) error {
	for {
		soon, cancel := ctx, context.CancelFunc(func() {})
		if k.options.BackupMaxAge > 0 {
			soon, cancel = context.WithTimeout(ctx, max(k.options.BackupMaxAge/2, backupInterval))
		}
		_, err := k.local.Load().current.Wait(soon, k.isNews)
		cancel()
		if err == nil || ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		if _, isCurrent := k.asOf(); isCurrent {
			return nil
		}
	}
}

// isNews reports whether now comes from the server and is not in the file.
func (k *keeper) isNews(now *Snapshot) bool { return now.sequence > k.saved && !now.isRestored() }

// asOf returns when the copy was last known to be current, and whether it is.
func (k *keeper) asOf() (time.Time, bool) {
	link := k.source.Link.Load()
	if doubt(k.source, link, k.now()) == nil {
		return time.Now(), true
	}
	return k.source.LastContact(), false
}

// save writes the copy, which was current at that time, and reports whether it could.
func (k *keeper) save(current time.Time) bool {
	now := k.now()
	err := k.file.Write(&backup.State{
		Namespace: k.remote.Namespace(),
		Name:      k.remote.Name(),
		UID:       string(now.uid),
		Revision:  now.revision,
		Exists:    now.Exists(),
		Values:    now.data,
		Current:   current,
	})
	if err != nil {
		k.failures.Add(1)
		if !k.failing {
			k.options.Logger.Error(nil, "Cannot write the backup", "file", k.options.Backup, "reason", err.Error())
		}
		k.failing = true
		return false
	}
	k.written.Add(1)
	k.saved, k.failing = now.sequence, false
	return true
}
