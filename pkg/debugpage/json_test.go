package debugpage_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// A document is the JSON form, as a script would declare it.
type document struct {
	Namespace, Name, Instance string
	Status                    struct {
		State, Error, Revision, UID string
		Exists                      bool
		LastContact                 time.Time
	}
	Size   struct{ Keys, Bytes, LimitBytes int }
	Writes struct {
		Requests, Commits, Conflicts, Transactions, UnknownOutcomes, Aborted, Failures uint64
		MeanRequestSeconds, TransactionsPerCommit                                      float64
		Queued                                                                         int
	}
	Following     struct{ Versions, Resets, Reconnects, CallbackPanics uint64 }
	Subscriptions []struct {
		Name           string
		Number, Behind int
		LagSeconds     float64
		OfThisPage     bool
	}
	Changes []struct {
		Revision                 string
		Time                     time.Time
		First, Reset, Absent     bool
		Added, Modified, Removed int
		GrowthBytes              int
		Keys                     []struct {
			Key, Op, Old, New  string
			OldBytes, NewBytes int
		}
	}
	Keys []struct {
		Key   string
		Bytes int
	}
	Value, ValueBase64 *string
}

func decode(t *testing.T, w *httptest.ResponseRecorder) document {
	t.Helper()
	var d document
	if got := w.Header().Get("Content-Type"); got != "application/json" {
		t.Fatalf("content type %q, body %s", got, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &d); err != nil {
		t.Fatalf("%v in %s", err, w.Body)
	}
	return d
}

// figures returns what the page says of its store, as JSON.
func figures(t *testing.T, page http.Handler) document {
	t.Helper()
	return decode(t, get(page, "/?format=json"))
}
