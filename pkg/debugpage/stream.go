package debugpage

import (
	"bytes"
	"fmt"
	"net/http"
	"time"
)

// A stream is the server-sent events of one viewer.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	sent    map[string]*part // the last of each name
	wrote   time.Time
}

// heartbeat is after how long without anything to send the stream shows that it
// is alive, and finds out whether the browser is.
const heartbeat = 15 * time.Second

// begin fails when the server's ResponseWriter has no deadlines or cannot flush.
// Nothing has been sent then. Without a deadline a browser that never reads would hold
// a goroutine for ever.
func (s *stream) begin() error {
	if err := s.control.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	header := s.w.Header()
	before := header.Get("Content-Type")
	header.Set("Content-Type", "text/event-stream; charset=utf-8")
	header.Set("X-Accel-Buffering", "no") // nginx would collect updates
	if err := s.control.Flush(); err != nil {
		header.Set("Content-Type", before)
		return err
	}
	return nil
}

// send sends those parts that the viewer has not got.
func (s *stream) send(parts []*part) error {
	var events bytes.Buffer
	for _, p := range parts {
		if s.sent[p.name] == p {
			continue
		}
		s.sent[p.name] = p
		fmt.Fprintf(&events, "event: %s\n", p.name)
		for line := range bytes.Lines(p.html) {
			events.WriteString("data: ")
			events.Write(bytes.TrimRight(line, "\r\n"))
			events.WriteByte('\n')
		}
		events.WriteByte('\n')
	}
	now := time.Now()
	if events.Len() == 0 {
		if now.Sub(s.wrote) < heartbeat {
			return nil
		}
		events.WriteString(":\n\n")
	}
	s.wrote = now
	// The deadline is only for the time of writing: in HTTP/2 one that passes in
	// between would end the stream too. A server's own WriteTimeout is overruled.
	if err := s.control.SetWriteDeadline(now.Add(patience)); err != nil {
		return err
	}
	if _, err := s.w.Write(events.Bytes()); err != nil {
		return err
	}
	if err := s.control.Flush(); err != nil {
		return err
	}
	return s.control.SetWriteDeadline(time.Time{})
}
