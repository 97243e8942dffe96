package backup

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// inside says to this program which disk it is to have, and where: in a namespace of its
// own, where it may mount one, or where it is nobody who may do anything.
const inside = "MAPSTORE_BACKUP_DISK"

var _ = func() bool {
	children[inside] = meetDisk
	return true
}()

func meetDisk(value string) {
	disk, dir, _ := strings.Cut(value, "=")
	fmt.Println(meet(disk, File(filepath.Join(dir, "settings"))))
}

var disks = map[string]struct {
	want    error
	prepare func(dir string) error // after the first state has been written
}{
	"full":      {syscall.ENOSPC, func(string) error { return nil }},
	"read-only": {syscall.EROFS, func(dir string) error { return syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, "") }},
	"no rights": {syscall.EACCES, func(dir string) error { return os.Chmod(dir, 0o500) }},
}

// meet writes a small state, and then a larger one that cannot be written, and returns
// what is wrong with what is there then.
func meet(disk string, f File) error {
	dir := filepath.Dir(string(f))
	if disk != "no rights" {
		if err := syscall.Mount("none", dir, "tmpfs", 0, "size=64k"); err != nil {
			return fmt.Errorf("mount: %w", err)
		}
	}
	if err := f.Write(saved()); err != nil {
		return err
	}
	if err := disks[disk].prepare(dir); err != nil {
		return err
	}
	large := saved()
	large.Values["large"] = strings.Repeat("x", 1<<17)
	if err := f.Write(large); !errors.Is(err, disks[disk].want) {
		return fmt.Errorf("the error is %w", err)
	}
	if got, err := f.Read(); err != nil || !equal(got, saved()) {
		return fmt.Errorf("what was there is %v now: %w", got, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		return fmt.Errorf("left behind: %v, %w", entries, err)
	}
	return nil
}

func TestADiskThatTakesNothing(t *testing.T) {
	for disk := range disks {
		t.Run(disk, func(t *testing.T) {
			dir := t.TempDir()
			t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
			child := exec.Command(os.Args[0])
			child.Env = append(os.Environ(), inside+"="+disk+"="+dir)
			user := 0 // root, who may mount
			if disk == "no rights" {
				user = 1
			}
			child.SysProcAttr = &syscall.SysProcAttr{
				Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
				UidMappings: []syscall.SysProcIDMap{{ContainerID: user, HostID: os.Getuid(), Size: 1}},
				GidMappings: []syscall.SysProcIDMap{{ContainerID: user, HostID: os.Getgid(), Size: 1}},
			}
			said, err := child.CombinedOutput()
			if errors.Is(err, syscall.EPERM) || strings.HasPrefix(string(said), "mount: operation not permitted") {
				t.Skip("this machine lets nobody have a namespace")
			}
			if err != nil || string(said) != "<nil>\n" {
				t.Errorf("%v: %s", err, said)
			}
		})
	}
}
