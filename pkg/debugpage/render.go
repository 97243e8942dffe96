package debugpage

import (
	"crypto/sha256"
	_ "embed" // of the page's template, style and script
	"encoding/base64"
	"html/template"
	"strings"
	"time"
)

//go:embed page.html
var pageTemplate string

//go:embed page.css
var pageStyle string

//go:embed page.js
var pageScript string

// sections are the names of the templates that make up the page, in its order,
// but for the keys, which differ from view to view.
var sections = []string{"health", "size", "writes", "subscriptions", "changes"}

// contentSecurityPolicy allows the page's own style and script by their hashes.
var contentSecurityPolicy = "default-src 'none'; style-src " + hash(pageStyle) + "; script-src " + hash(pageScript) +
	"; connect-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

var templates = template.Must(template.New("").Option("missingkey=error").Funcs(template.FuncMap{
	"clock":   clock,
	"coarse":  func(t, now time.Time) string { return coarse(now.Sub(t)) },
	"ago":     func(t, now time.Time) string { return span(now.Sub(t)) + " ago" },
	"count":   count[uint64],
	"number":  count[int],
	"listed":  func(keys []string) []string { return keys[:min(len(keys), keysInEntry)] },
	"iso":     func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"plural":  plural,
	"seconds": func(s float64) string { return took(time.Duration(s * float64(time.Second))) },
	"signed":  signed,
	"span":    func(t, now time.Time) string { return span(now.Sub(t)) },
	"visible": visible,
	"volume":  volume,
	// The two are this package's own text, which is what their types assert.
	"style":  func() template.CSS { return template.CSS(pageStyle) }, //nolint:gosec // G203: see above
	"script": func() template.JS { return template.JS(pageScript) },  //nolint:gosec // G203: see above
}).Parse(pageTemplate))

// render renders a section for a live update. If a template fails, which a test
// of each rules out, the section says so.
func render(name string, data any) string {
	var b strings.Builder
	if err := templates.ExecuteTemplate(&b, name, data); err != nil {
		return "<p>This part could not be rendered.</p>"
	}
	// In an event stream a bare carriage return would end the line.
	return strings.ReplaceAll(b.String(), "\r", " ")
}

// Title names the page in tabs and histories: the state first, where it is seen.
func (r report) Title() string {
	return r.Status.State.Word() + ": " + r.Namespace + "/" + r.Name
}

// Word returns what the state is called on the page.
func (s state) Word() string {
	switch s {
	case fresh:
		return "Fresh"
	case waiting:
		return "Not synced"
	case stale:
		return "Stale"
	default:
		return "Closed"
	}
}

// Meaning says what the state means for reads.
func (s state) Meaning() string {
	switch s {
	case fresh:
		return "The copy follows the API server."
	case waiting:
		return "The store has not had a copy of the map yet: every read finds it empty."
	case stale:
		return "Reads serve the last known version, which others may have changed since."
	default:
		return "The store is closed: reads serve the last known version for ever, and writes fail."
	}
}

// Level returns how bad it is that the map is so full: "ok", "warn" or "bad".
func (s size) Level() string {
	switch {
	case s.Percent() >= 95:
		return "bad"
	case s.Percent() >= 80:
		return "warn"
	default:
		return "ok"
	}
}

// Late reports whether the lag is too long for a callback that is merely slow.
func (s subscription) Late() bool { return s.Lag >= 1 }

// Folder returns the first part of the function's name, up to its package.
func (s subscription) Folder() string { return s.Name[:strings.LastIndexByte(s.Name, '/')+1] }

// Function returns the rest of the function's name.
func (s subscription) Function() string {
	return strings.TrimSuffix(s.Name[len(s.Folder()):], "-fm") // which Go appends to method values
}

// Last returns the newest change, or nil if there was none.
func (r report) Last() *entry {
	if len(r.Changes) == 0 {
		return nil
	}
	return &r.Changes[0]
}

const (
	shownChanges       = 10 // the others are folded
	shownSubscriptions = 20 // likewise
)

// RecentChanges returns the changes that are not folded.
func (r report) RecentChanges() changes {
	return changes{r.Time, r.Changes[:min(shownChanges, len(r.Changes))]}
}

// EarlierChanges returns the changes that are folded.
func (r report) EarlierChanges() changes {
	return changes{r.Time, r.Changes[min(shownChanges, len(r.Changes)):]}
}

// changes is a part of the list of changes, as of a time.
type changes struct {
	Time    time.Time
	Entries []entry
}

// WorstSubscriptions returns the subscriptions that are not folded.
func (r report) WorstSubscriptions() []subscription {
	return r.Subscriptions[:min(shownSubscriptions, len(r.Subscriptions))]
}

// OtherSubscriptions returns the subscriptions that are folded.
func (r report) OtherSubscriptions() []subscription {
	return r.Subscriptions[min(shownSubscriptions, len(r.Subscriptions)):]
}
