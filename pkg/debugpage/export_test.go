package debugpage

import "time"

// SetPatience shortens how long a browser may read nothing.
func (h *Handler) SetPatience(d time.Duration) { h.patience = d }
