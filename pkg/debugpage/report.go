package debugpage

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// maxBytes is how many bytes the values of a ConfigMap can have.
const maxBytes = 1 << 20

// A report is the figures of one moment, without the keys. It is what both HTML
// and JSON show.
type report struct {
	Time      time.Time `json:"time"`
	Namespace string    `json:"namespace"`
	Name      string    `json:"name"`
	Cluster   string    `json:"cluster,omitempty"` // the API server's URL
	Instance  string    `json:"instance,omitempty"`

	Status        status         `json:"status"`
	Size          size           `json:"size"`
	Writes        writes         `json:"writes"`
	Following     following      `json:"following"`
	Subscriptions []subscription `json:"subscriptions"` // the furthest behind first
	Since         time.Time      `json:"changesSince"`
	Changes       []entry        `json:"changes"` // the newest first
}

type status struct {
	State       state      `json:"state"`
	Error       string     `json:"error,omitempty"`
	LastContact *time.Time `json:"lastContact,omitempty"`
	Restored    *time.Time `json:"restored,omitempty"` // of when the backup is that is served
	Exists      bool       `json:"exists"`
	Revision    string     `json:"revision"`
	UID         string     `json:"uid,omitempty"`
	WriteError  string     `json:"writeError,omitempty"`
	LastFailure *failure   `json:"lastFailedWrite,omitempty"`
	Rejected    []rejected `json:"rejected,omitempty"`
}

// A failure is a write that returned an error.
type failure struct {
	Time  time.Time `json:"time"`
	Error string    `json:"error"`
}

// A rejected is a key whose newest value is rejected.
type rejected struct {
	Key    string `json:"key"`
	Reason string `json:"reason"`
}

// A state is the answer to the first question: can the copy be trusted?
type state string

const (
	fresh   state = "fresh"
	waiting state = "waiting" // for the first sync
	backup  state = "backup"  // the same, with a backup until then
	stale   state = "stale"
	closed  state = "closed"
)

type size struct {
	Keys  int `json:"keys"`
	Bytes int `json:"bytes"`
	Limit int `json:"limitBytes"`
}

// Percent returns the share of the limit that is used.
func (s size) Percent() float64 { return float64(s.Bytes) * 100 / float64(s.Limit) }

type writes struct {
	Requests              uint64  `json:"requests"`
	MeanRequestSeconds    float64 `json:"meanRequestSeconds"`
	Commits               uint64  `json:"commits"`
	Conflicts             uint64  `json:"conflicts"`
	Transactions          uint64  `json:"transactions"`
	TransactionsPerCommit float64 `json:"transactionsPerCommit"`
	UnknownOutcomes       uint64  `json:"unknownOutcomes"`
	Aborted               uint64  `json:"aborted"`
	Failures              uint64  `json:"failures"`
	Queued                int     `json:"queued"`
}

// ConflictPercent returns the share of the requests that met a conflict.
func (w writes) ConflictPercent() float64 { return float64(w.Conflicts) * 100 / float64(w.Requests) }

type following struct {
	Versions   uint64 `json:"versions"`
	Resets     uint64 `json:"resets"`
	Reconnects uint64 `json:"reconnects"`
	Panics     uint64 `json:"callbackPanics"`
	Rejections uint64 `json:"rejections"`
}

// A subscription stands for all subscriptions of one function: there may be thousands.
type subscription struct {
	Name   string  `json:"name"`
	Number int     `json:"number"`
	Behind int     `json:"behind"` // how many have a lag
	Lag    float64 `json:"lagSeconds"`
	Own    bool    `json:"ofThisPage,omitempty"`
}

func (h *Handler) report(snapshot *mapstore.Snapshot) report {
	stats, now := h.store.Stats(), time.Now()
	r := report{
		Time:      now,
		Namespace: h.store.Namespace(),
		Name:      h.store.Name(),
		Cluster:   h.store.Cluster(),
		Instance:  h.options.Instance,
		Status:    h.status(snapshot),
		Size:      size{Keys: snapshot.Len(), Limit: maxBytes},
		Writes: writes{
			Requests:        stats.Requests,
			Commits:         stats.Commits,
			Conflicts:       stats.Conflicts,
			Transactions:    stats.Transactions,
			UnknownOutcomes: stats.UnknownOutcomes,
			Aborted:         stats.Aborted,
			Failures:        stats.Failures,
			Queued:          stats.Queued,
		},
		Following: following{
			Versions:   stats.Versions,
			Resets:     stats.Resets,
			Reconnects: stats.Reconnects,
			Panics:     stats.Panics,
			Rejections: stats.Rejections,
		},
		Subscriptions: h.subscriptions(),
		Since:         h.journal.since,
		Changes:       h.journal.newest(),
	}
	for _, value := range snapshot.All() {
		r.Size.Bytes += len(value)
	}
	if stats.Requests > 0 {
		r.Writes.MeanRequestSeconds = stats.RequestTime.Seconds() / float64(stats.Requests)
	}
	if stats.Commits > 0 {
		r.Writes.TransactionsPerCommit = float64(stats.Transactions) / float64(stats.Commits)
	}
	return r
}

// status describes snapshot, and not the version that the store's Status describes:
// all that a page shows of the map is of one version.
func (h *Handler) status(snapshot *mapstore.Snapshot) status {
	now := h.store.Status()
	s := status{
		State:    fresh,
		Exists:   snapshot.Exists(),
		Revision: snapshot.Revision(),
		UID:      string(snapshot.UID()),
	}
	for _, key := range now.Rejected {
		s.Rejected = append(s.Rejected, rejected{key, now.Reasons[key]})
	}
	if last := now.LastFailure; last.Err != nil {
		s.LastFailure = &failure{last.Time, strings.TrimPrefix(last.Err.Error(), "mapstore: ")}
	}
	if !now.LastContact.IsZero() {
		s.LastContact = &now.LastContact
	}
	if now.WriteErr != nil {
		s.WriteError = strings.TrimPrefix(now.WriteErr.Error(), "mapstore: ")
	}
	if !now.Restored.IsZero() {
		s.Restored = &now.Restored
	}
	if now.Err != nil {
		s.Error = strings.TrimPrefix(now.Err.Error(), "mapstore: ")
		switch {
		case errors.Is(now.Err, mapstore.ErrClosed):
			s.State = closed
		case s.Restored != nil:
			s.State = backup
		case !now.Synced:
			s.State = waiting
		default:
			s.State = stale
		}
	}
	return s
}

// ReasonOf returns why the newest value of a key is rejected; "" if it is not.
func (s status) ReasonOf(key string) string {
	for _, r := range s.Rejected {
		if r.Key == key {
			return r.Reason
		}
	}
	return ""
}

func (h *Handler) subscriptions() []subscription {
	byName := make(map[string]*subscription)
	for _, s := range h.store.Subscriptions() {
		name, own := s.Name(), s == h.subscription
		if own {
			name = "this page"
		}
		group := byName[name]
		if group == nil {
			group = &subscription{Name: name, Own: own}
			byName[name] = group
		}
		group.Number++
		if lag := s.Lag(); lag > 0 {
			group.Behind++
			group.Lag = max(group.Lag, lag.Seconds())
		}
	}
	groups := make([]subscription, 0, len(byName))
	for _, group := range byName {
		groups = append(groups, *group)
	}
	slices.SortFunc(groups, func(a, b subscription) int {
		return cmp.Or(-cmp.Compare(a.Lag, b.Lag), cmp.Compare(a.Name, b.Name))
	})
	return groups
}
