package memapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	corev1 "k8s.io/api/core/v1"
	apiwatch "k8s.io/apimachinery/pkg/watch"
)

// A record is one commit in a journal.
type record struct {
	Kind   apiwatch.EventType
	Object *corev1.ConfigMap
}

// Journal brings back all commits that the file has, and from then on appends each commit
// to it before anybody can see it. So what was acknowledged survives a kill of the
// process, though not of the machine. Call it before the first request.
func (s *Server) Journal(file *os.File) error {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	records, end := json.NewDecoder(file), int64(0)
	for {
		var r record
		err := records.Decode(&r)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break // the last one may have been cut short: nobody has seen it
		}
		if err != nil {
			return fmt.Errorf("%s is no journal: %w", file.Name(), err)
		}
		s.log.commitLocked(r.Kind, r.Object)
		end = records.InputOffset()
	}
	if err := file.Truncate(end); err != nil {
		return err
	}
	if _, err := file.Seek(end, io.SeekStart); err != nil {
		return err
	}
	s.log.journal = json.NewEncoder(file)
	return nil
}
