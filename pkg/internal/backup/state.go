package backup

import (
	"bytes"
	"crypto/sha256"
	"encoding/gob"
	"errors"
	"fmt"
	"time"
)

// A State is a map at one time. It must not be changed while it is being written.
type State struct {
	Namespace, Name string // which map it is
	UID, Revision   string // which of the maps of that name, and which version of it
	Exists          bool
	Values          map[string]string // any bytes
	Current         time.Time         // when this was known to be the current state
}

// Errors that say why a state is not used.
var (
	// ErrDamaged is returned for a file that is not, or no longer, what Write has written.
	ErrDamaged = errors.New("backup: the file is damaged, or of another format")

	// ErrOtherMap is returned for the state of another map.
	ErrOtherMap = errors.New("backup: the file is of another map")

	// ErrTooOld is returned for a state that is older than the caller accepts.
	ErrTooOld = errors.New("backup: the file is too old")
)

// Check returns [ErrOtherMap] or [ErrTooOld] if the state is of no use for a map. A maxAge
// of zero means no limit. A state from the future is as good as a new one: the clock was
// wrong then, or is now.
func (s *State) Check(namespace, name string, now time.Time, maxAge time.Duration) error {
	if s.Namespace != namespace || s.Name != name {
		return fmt.Errorf("%w: %s/%s", ErrOtherMap, s.Namespace, s.Name)
	}
	if age := now.Sub(s.Current); maxAge > 0 && age > maxAge {
		return fmt.Errorf("%w: %v", ErrTooOld, age.Round(time.Second))
	}
	return nil
}

// header names the format. Another format has another header.
const header = "mapstore backup 1\n"

// encode returns the file's content: the header, the checksum of the rest, the rest.
func encode(s *State) ([]byte, error) {
	var file bytes.Buffer
	file.WriteString(header)
	file.Write(make([]byte, sha256.Size))
	if err := gob.NewEncoder(&file).Encode(s); err != nil {
		return nil, err
	}
	content := file.Bytes()
	sum := sha256.Sum256(content[len(header)+sha256.Size:])
	copy(content[len(header):], sum[:])
	return content, nil
}

// decode returns the state that encode has made content of.
func decode(content []byte) (*State, error) {
	rest, known := bytes.CutPrefix(content, []byte(header))
	if !known || len(rest) < sha256.Size {
		return nil, ErrDamaged
	}
	sum, body := rest[:sha256.Size], rest[sha256.Size:]
	if sha256.Sum256(body) != [sha256.Size]byte(sum) {
		return nil, ErrDamaged
	}
	s := &State{}
	if err := gob.NewDecoder(bytes.NewReader(body)).Decode(s); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return s, nil
}
