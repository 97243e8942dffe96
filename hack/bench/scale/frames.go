package scale

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Encodings of a watch.
const (
	protobuf = "application/vnd.kubernetes.protobuf;stream=watch"
	asJSON   = "application/json;stream=watch"
)

// A frameReader splits what a watch sends into its events, without decoding them.
type frameReader struct {
	*bufio.Reader
	json bool
}

// next reads over one event and returns its type, such as MODIFIED.
func (f *frameReader) next() (string, error) {
	if f.json {
		return f.line()
	}
	var length [4]byte
	if _, err := io.ReadFull(f, length[:]); err != nil {
		return "", err
	}
	size := int(binary.BigEndian.Uint32(length[:]))
	head, err := f.Peek(min(size, 16))
	if err != nil {
		return "", err
	}
	// A WatchEvent's first field is its type: the tag 1 of a string, its length, its bytes.
	if len(head) < 2 || head[0] != 1<<3|2 || int(head[1]) > len(head)-2 {
		return "", errors.New("scale: an event that does not begin with its type")
	}
	kind := string(head[2 : 2+head[1]])
	_, err = f.Discard(size)
	return kind, err
}

// line reads an event in JSON, which is one line.
func (f *frameReader) line() (string, error) {
	kind := ""
	for {
		part, err := f.ReadSlice('\n')
		if kind == "" {
			rest, ok := bytes.CutPrefix(part, []byte(`{"type":"`))
			name, _, closed := bytes.Cut(rest, []byte{'"'})
			if err == nil && (!ok || !closed) {
				return "", fmt.Errorf("scale: a line that does not begin with its type")
			}
			kind = string(name)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return kind, err
		}
	}
}
