package debugpage_test

import (
	"context"
	"html"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/unrolled/mapstore/v2/pkg/debugpage"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

var (
	href     = regexp.MustCompile(`(?:href|src|action)="([^"]*)"`)
	keyLink  = regexp.MustCompile(`<th scope="row"><a href="[^"]*">([^<]*)</a>`)
	nextLink = regexp.MustCompile(`<a href="([^"]*)">Next</a>`)
)

func expectText(t *testing.T, page string, wants ...string) {
	t.Helper()
	got := text(page)
	for _, want := range wants {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in the page: %s", want, got)
		}
	}
}

// hostile are keys that no real API server takes.
var hostile = []string{
	`<script>alert(1)</script>`,
	`"><img src=x onerror=alert(1)>`,
	`javascript:alert(1)`,
	`</title></style></script><script>alert(1)</script>`,
	"{{.Key}}", "a b&c=d#e%41?f", "new\nline\r\ndata: x", "\u202egnp.exe", "../../etc", "",
}

func TestMarkupIsNeverInterpreted(t *testing.T) {
	data := make(map[string]string)
	for _, key := range hostile {
		data[key] = "</script><script>alert('" + key + "')</script>"
	}
	synctest.Test(t, func(t *testing.T) {
		object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "settings"}, Data: data}
		store, err := mapstore.New(fake.NewClientset(object), "ns", "settings", mapstore.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		go store.Start(context.Background()) //nolint:errcheck // it was not started before
		page := debugpage.New(store, debugpage.Options{Values: debugpage.ShowValuesToAllWhoReachThePage, Instance: hostile[0]})
		if err := store.Set(t.Context(), "k", "<script>alert(2)</script>"); err != nil {
			t.Fatal(err)
		}
		bodies := map[string]string{} // by address
		for _, url := range []string{"/", "/?sort=name", "/?key=absent<script>", "/?prefix=%22%3E%3Cscript%3Ealert(3)%3C/script%3E"} {
			bodies[url] = load(page, url)
		}
		for _, match := range href.FindAllStringSubmatch(bodies["/"], -1) {
			url := html.UnescapeString(match[1])
			if strings.HasPrefix(url, "?key=") {
				bodies["/"+url] = load(page, "/"+url)
			} else if !strings.HasPrefix(url, "?") && url != "data:," {
				t.Errorf("a link leads to %q", url)
			}
		}
		if want := 4 + len(data) + 1; len(bodies) != want {
			t.Errorf("%d addresses, want %d", len(bodies), want)
		}
		viewer := serve(t, page).follow("/?format=live")
		for _, want := range []string{"health", "size", "writes", "subscriptions", "changes", "keys"} { // no event of a key's own
			name, part := viewer.next()
			if name != want {
				t.Errorf("the stream has an event %q, want %q", name, want)
			}
			bodies["the stream"] += part
		}
		for url, body := range bodies {
			body = notShown.ReplaceAllString(body, "")
			for _, forbidden := range []string{"<script", "<img", "<style", "ZgotmplZ", "\u202e", "not be rendered"} {
				if strings.Contains(body, forbidden) {
					t.Errorf("%s: %q is in the page", url, forbidden)
				}
			}
		}
		for _, url := range []string{"/", "the stream"} {
			expectText(t, bodies[url], hostile[0], hostile[1], "{{.Key}}")
		}
	})
}

func TestAThousandKeysComeInPages(t *testing.T) {
	data := numbered(1000)
	inBubble(t, data, func(s *site) {
		page := s.page(debugpage.Options{})
		for _, start := range []string{"?", "?sort=name"} {
			var seen []string
			for url := start; url != ""; {
				body := load(page, "/"+url)
				if len(body) > 60<<10 {
					s.Errorf("%s has %d bytes", url, len(body))
				}
				for _, match := range keyLink.FindAllStringSubmatch(body, -1) {
					seen = append(seen, match[1])
				}
				next := nextLink.FindStringSubmatch(body)
				if url = ""; next != nil {
					url = html.UnescapeString(next[1])
				}
			}
			want := slices.SortedFunc(maps.Keys(data), func(a, b string) int {
				if start == "?" && len(data[a]) != len(data[b]) {
					return len(data[b]) - len(data[a])
				}
				return strings.Compare(a, b)
			})
			if !slices.Equal(seen, want) {
				s.Errorf("%s: the pages list %d keys, not the map's in order", start, len(seen))
			}
		}
	})
}

func TestItIsReadOnlyAndSaysWhatIsWrong(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		page := s.page(debugpage.Options{})
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch, http.MethodOptions} {
			if w := request(page, method, "/"); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
				s.Errorf("%s: %d, Allow %q", method, w.Code, w.Header().Get("Allow"))
			}
		}
		for url, want := range map[string]int{
			"/": 200, "/?format=html": 200, "/?format=json": 200, "/?page=1&sort=size": 200,
			"/?format=xml": 400, "/?sort=up": 400, "/?page=0": 400, "/?page=x": 400, "/?page=99999999": 400, "/?%zz": 400,
			"/?prefix=" + strings.Repeat("x", 254): 400, "/?key=absent": 404, "/?key=absent&format=json": 404, "/?key=absent&format=raw": 403,
			"/?format=live": 501, // this ResponseWriter has no deadlines
		} {
			for _, method := range []string{http.MethodGet, http.MethodHead} {
				w := request(page, method, url)
				if w.Code != want {
					s.Errorf("%s %s: %d, want %d", method, url, w.Code, want)
				}
				for name, value := range map[string]string{
					"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
				} {
					if got := w.Header().Get(name); got != value {
						s.Errorf("%s %s: %s is %q", method, url, name, got)
					}
				}
				csp := w.Header().Get("Content-Security-Policy")
				if !strings.HasPrefix(csp, "default-src 'none';") || !strings.Contains(csp, "frame-ancestors 'none'") || strings.Contains(csp, "unsafe") {
					s.Errorf("%s %s: policy %q", method, url, csp)
				}
			}
		}
		if w := get(page, "/?format=live"); !strings.Contains(w.Body.String(), "can be loaded") || strings.Contains(w.Header().Get("Content-Type"), "event-stream") {
			s.Errorf("a server that cannot stream says %q as %s", w.Body, w.Header().Get("Content-Type"))
		}
	})
}

// All its links are relative: TestMarkupIsNeverInterpreted looks at each.
func TestThePageWorksUnderAnyPath(t *testing.T) {
	inBubble(t, map[string]string{"k": "v"}, func(s *site) {
		page := s.page(debugpage.Options{})
		for path, page := range map[string]http.Handler{"/debug/mapstore/": page, "/one": page, "/deep/er": http.StripPrefix("/deep/er", page)} {
			expectText(s.T, load(page, path), "Fresh: ns/settings")
			expectText(s.T, load(page, path+"?key=k"), "Values are hidden.")
		}
	})
}
