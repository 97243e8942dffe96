package backup

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// A State is a map at one time. It must not be changed while it is being written.
type State struct {
	Namespace, Name string // which map it is
	UID, Revision   string // which of the maps of that name, and which version of it
	Exists          bool
	Values          map[string]string `json:",omitempty"` // any bytes
	Current         time.Time         // when this was known to be the current state
}

// maxText is more than a key or a value can have.
const maxText = 1 << 24

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
		return fmt.Errorf("%w: it is of %s/%s", ErrOtherMap, s.Namespace, s.Name)
	}
	if age := now.Sub(s.Current); maxAge > 0 && age > maxAge {
		return fmt.Errorf("%w: %v", ErrTooOld, age.Round(time.Second))
	}
	return nil
}

// header names the format. Another format has another header.
const header = "mapstore backup 1\n"

// encode returns the file's content: the header, the checksum of the rest, the state
// without its values as a line of JSON, and the keys and values, each after its length.
func encode(s *State) ([]byte, error) {
	about := *s
	about.Values = nil
	line, err := json.Marshal(about)
	if err != nil {
		return nil, err
	}
	size := len(header) + sha256.Size + len(line) + 1
	for key, value := range s.Values {
		size += 2*binary.MaxVarintLen32 + len(key) + len(value)
	}
	content := make([]byte, len(header)+sha256.Size, size)
	copy(content, header)
	content = append(append(content, line...), '\n')
	for key, value := range s.Values {
		for _, text := range []string{key, value} {
			content = append(binary.AppendUvarint(content, uint64(len(text))), text...)
		}
	}
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
	line, entries, _ := bytes.Cut(body, []byte{'\n'})
	s := &State{}
	if err := json.Unmarshal(line, s); err != nil {
		return nil, ErrDamaged
	}
	s.Values = make(map[string]string)
	for texts := string(entries); texts != ""; { // of which all keys and values are parts
		var pair [2]string
		for i := range pair {
			length, n := binary.Uvarint([]byte(texts[:min(len(texts), binary.MaxVarintLen64)]))
			if n <= 0 || length > maxText || int(length) > len(texts)-n {
				return nil, ErrDamaged
			}
			pair[i], texts = texts[n:n+int(length)], texts[n+int(length):]
		}
		s.Values[pair[0]] = pair[1]
	}
	return s, nil
}
