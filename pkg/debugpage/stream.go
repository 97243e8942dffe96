package debugpage

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// A stream is the server-sent events of one viewer.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	sent    map[string]string // the last part of each name
}

// begin sends the header. It returns http.ErrNotSupported, with nothing sent, when the
// server's ResponseWriter has no deadlines or cannot flush: without a deadline a
// browser that never reads would hold a goroutine for ever.
func (s *stream) begin() error {
	if err := s.control.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
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

// send sends the parts that the viewer does not have. There is one each second, as the
// page names the time.
func (s *stream) send(parts []part) error {
	var events bytes.Buffer
	for _, p := range parts {
		if s.sent[p.name] == p.html {
			continue
		}
		s.sent[p.name] = p.html
		fmt.Fprintf(&events, "event: %s\ndata: %s\n\n", p.name, strings.ReplaceAll(p.html, "\n", "\ndata: "))
	}
	if events.Len() == 0 {
		return nil
	}
	// A server's own WriteTimeout is overruled.
	if err := s.control.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	if _, err := s.w.Write(events.Bytes()); err != nil {
		return err
	}
	return s.control.Flush()
}
