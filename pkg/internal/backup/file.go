package backup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A File is the path of a backup.
type File string

// maxBytes bounds what Read takes into memory. The largest map that an API server stores
// is a tenth of it.
const maxBytes = 16 << 20

// Read returns the state in the file. It returns [fs.ErrNotExist] if there is none, and
// [ErrDamaged] or the system's error if it cannot be used.
func (f File) Read() (*State, error) {
	info, err := os.Stat(string(f)) // first: to open a pipe would wait for its writer
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxBytes {
		return nil, fmt.Errorf("%w: it is no file, or too large", ErrDamaged)
	}
	content, err := os.ReadFile(string(f))
	if err != nil {
		return nil, err
	}
	return decode(content)
}

// Write replaces what is in the file. After an error the file is what it was before.
func (f File) Write(s *State) error {
	content, err := encode(s)
	if err != nil {
		return err
	}
	if err = f.replace(content); errors.Is(err, fs.ErrNotExist) {
		err = f.replace(content) // another program has swept the temporary file away
	}
	return err
}

func (f File) replace(content []byte) (err error) {
	dir, name := filepath.Split(string(f))
	temporary, err := os.CreateTemp(filepath.Clean(dir), name+".*"+suffix) // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temporary.Name())
		}
	}()
	_, err = temporary.Write(content)
	if err == nil {
		// Without it, a power cut may leave the new name with nothing in it.
		err = temporary.Sync()
	}
	if err = errors.Join(err, temporary.Close()); err != nil {
		return err
	}
	return os.Rename(temporary.Name(), string(f))
}

// Remove removes the file. It is no error if there is none.
func (f File) Remove() error {
	if err := os.Remove(string(f)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// suffix is how the name of a temporary file ends; before it there is a random number.
const suffix = ".tmp"

// Sweep removes the temporary files that writers have left behind who were killed. Should
// one of them still be in use, its writer makes another.
func (f File) Sweep() {
	dir, name := filepath.Split(string(f))
	entries, _ := os.ReadDir(filepath.Clean(dir)) // if there is no such folder, Write says so
	for _, entry := range entries {
		number, ours := strings.CutPrefix(entry.Name(), name+".")
		number, temporary := strings.CutSuffix(number, suffix)
		if ours && temporary && number != "" && strings.Trim(number, "0123456789") == "" {
			_ = os.Remove(filepath.Join(dir, entry.Name()))
		}
	}
}
