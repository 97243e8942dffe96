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
	"listed":  func(all []rejected) []rejected { return all[:min(len(all), keysInEntry)] },
	"iso":     func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"plural":  plural,
	"seconds": func(s float64) string { return took(time.Duration(s * float64(time.Second))) },
	"signed":  signed,
	"span":    func(t, now time.Time) string { return span(now.Sub(t)) },
	"visible": visible,
	"volume":  volume,
	"without": func(n, all int) int { return all - n },
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

// Late reports whether the lag is too long for a callback that is merely slow.
func (s subscription) Late() bool { return s.Lag >= 1 }

// Folder returns the first part of the function's name, up to its package.
func (s subscription) Folder() string { return s.Name[:strings.LastIndexByte(s.Name, '/')+1] }

// Function returns the rest of the function's name.
func (s subscription) Function() string {
	return strings.TrimSuffix(s.Name[len(s.Folder()):], "-fm") // which Go appends to method values
}
