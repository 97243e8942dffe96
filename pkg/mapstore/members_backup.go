package mapstore

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// restore makes what is in the folder the first versions of its maps.
func (ms *members) restore() {
	if ms.options.Backup == "" {
		return
	}
	ms.mu.Lock()
	defer ms.mu.Unlock()
	entries, err := os.ReadDir(ms.options.Backup)
	if err != nil {
		logUnused(ms.options, err)
		return
	}
	for _, entry := range entries {
		if name := entry.Name(); validateName(ms.remote.Namespace(), name) == nil && !isTemporary(name) {
			ms.ofLocked(name).keeper.restore()
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

// keep writes the maps that have changed to their files, until ctx is done. All maps share
// one goroutine, and rest for a second after each round.
func (ms *members) keep(ctx context.Context) {
	if ms.options.Backup == "" {
		return
	}
	renewed := time.Now()
	for seen := uint64(0); ms.awaitNews(ctx, &seen, renewed); {
		current := time.Now()
		if ms.source.Doubt(ms.source.Link.Load()) != nil {
			current = ms.source.LastContact()
		} else if ms.options.BackupMaxAge > 0 && time.Since(renewed) >= ms.options.BackupMaxAge/2 {
			renewed = current
			for _, k := range ms.keepers() {
				k.saved = 0
			}
		}
		for _, k := range ms.keepers() {
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
func (ms *members) awaitNews(ctx context.Context, seen *uint64, renewed time.Time) bool {
	wait := maxBackupRetry // for those that could not be written
	if ms.options.BackupMaxAge > 0 {
		wait = min(wait, max(time.Until(renewed.Add(ms.options.BackupMaxAge/2)), backupInterval))
	}
	soon, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	last := *seen
	*seen, _ = ms.ticks.Wait(soon, func(now uint64) bool { return now != last })
	return ctx.Err() == nil
}

// finishBackups writes what has come since. Nothing may come any more.
func (ms *members) finishBackups() {
	if ms.options.Backup == "" {
		return
	}
	current, renews := ms.source.LastContact(), false
	if ms.source.Doubt(ms.source.Link.Load()) == nil {
		current, renews = time.Now(), ms.options.BackupMaxAge > 0
	}
	for _, k := range ms.keepers() {
		if renews {
			k.saved = 0
		}
		k.keep(current)
	}
}

// keep saves the copy, which was current at that time, if it is news. Of a map that does not
// exist there is no file: a family may have had many of them.
func (k *keeper) keep(current time.Time) {
	switch now := k.now(); {
	case !k.isNews(now):
	case now.Exists():
		k.save(current)
	case k.file.Remove() == nil:
		k.saved = now.sequence
	}
}
