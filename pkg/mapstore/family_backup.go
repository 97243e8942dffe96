package mapstore

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// backupOf returns the file of one map; "" if there are no backups.
func (f *Family) backupOf(name string) string {
	if f.options.Backup == "" {
		return ""
	}
	return filepath.Join(f.options.Backup, name)
}

// keeperOf returns the keeper of one map; nil if there are no backups.
func (f *Family) keeperOf(name string, feed *feed) *keeper {
	if f.options.Backup == "" {
		return nil
	}
	return newKeeper(f.remote.Member(name), feed, feed.local, f.optionsOf(name))
}

// restoreLocked makes what is in the folder the first versions of its maps.
func (f *Family) restoreLocked() {
	if f.options.Backup == "" {
		return
	}
	entries, err := os.ReadDir(f.options.Backup)
	if err != nil {
		logUnused(f.options, err)
		return
	}
	for _, entry := range entries {
		if name := entry.Name(); validateName(f.remote.Namespace(), name) == nil && !isTemporary(name) {
			f.memberLocked(name).keeper.restore()
		}
	}
}

// isTemporary reports whether a name is that of a file that was being written, such as
// "settings.4711.tmp". A map of such a name has no backup.
func isTemporary(name string) bool {
	name, ok := strings.CutSuffix(name, ".tmp")
	number := filepath.Ext(name)
	return ok && len(number) > 1 && strings.Trim(number[1:], "0123456789") == ""
}

func (f *Family) keepers() []*keeper {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make([]*keeper, 0, len(f.members))
	for _, m := range f.members {
		if m.keeper != nil {
			all = append(all, m.keeper)
		}
	}
	return all
}

// keep writes the maps that have changed to their files, until ctx is done. All maps share
// one goroutine, and rest for a second after each round.
func (f *Family) keep(ctx context.Context) {
	if f.options.Backup == "" {
		return
	}
	renewed := time.Now()
	for seen := uint64(0); f.awaitNews(ctx, &seen, renewed); {
		current := time.Now()
		if f.source.Doubt(f.source.Link.Load()) != nil {
			current = f.source.LastContact()
		} else if f.options.BackupMaxAge > 0 && time.Since(renewed) >= f.options.BackupMaxAge/2 {
			renewed = current
			for _, k := range f.keepers() {
				k.saved = 0
			}
		}
		for _, k := range f.keepers() {
			if ctx.Err() == nil {
				k.keep(current)
			}
		}
		select {
		case <-time.After(backupInterval):
		case <-ctx.Done():
		}
	}
}

// awaitNews blocks until there is a reason to look for maps to write. It returns false when
// ctx is done.
func (f *Family) awaitNews(ctx context.Context, seen *uint64, renewed time.Time) bool {
	wait := maxBackupRetry // for those that could not be written
	if f.options.BackupMaxAge > 0 {
		wait = min(wait, max(time.Until(renewed.Add(f.options.BackupMaxAge/2)), backupInterval))
	}
	soon, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	last := *seen
	*seen, _ = f.ticks.Wait(soon, func(now uint64) bool { return now != last })
	return ctx.Err() == nil
}

// finishBackups writes what has come since. Nothing may come any more.
func (f *Family) finishBackups() {
	if f.options.Backup == "" {
		return
	}
	current := f.source.LastContact()
	renews := f.options.BackupMaxAge > 0 && f.source.Doubt(f.source.Link.Load()) == nil
	for _, k := range f.keepers() {
		if renews {
			k.saved = 0
		}
		k.keep(current)
	}
}

// keep saves the copy, which was current at that time, if it is news. Of a map that does not
// exist there is no file: a family may have had many of them.
func (k *keeper) keep(current time.Time) {
	switch now := k.local.load(); {
	case !k.isNews(now):
	case now.Exists():
		k.save(current)
	case k.file.Remove() == nil:
		k.saved = now.sequence
	}
}
