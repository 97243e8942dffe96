package debugpage_test

import (
	"context"
	"errors"
	"fmt"
	"html"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/unrolled/mapstore/v2/pkg/debugpage"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
	"github.com/unrolled/mapstore/v2/pkg/typed"
)

var (
	notShown = regexp.MustCompile(`(?s)<(style|script)>.*?</(style|script)>`)
	tag      = regexp.MustCompile(`<[^>]*>`)
	space    = regexp.MustCompile(`\s+`)
	href     = regexp.MustCompile(`(?:href|src|action)="([^"]*)"`)
	keyLink  = regexp.MustCompile(`<th scope="row"><a href="[^"]*">([^<]*)</a>`)
	nextLink = regexp.MustCompile(`<a href="([^"]*)">Next</a>`)
)

// text is what people read of a page.
func text(page string) string {
	page = tag.ReplaceAllString(notShown.ReplaceAllString(page, ""), " ")
	return strings.TrimSpace(space.ReplaceAllString(html.UnescapeString(page), " "))
}

func expectText(t *testing.T, page string, wants ...string) {
	t.Helper()
	got := text(page)
	for _, want := range wants {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in the page: %s", want, got)
		}
	}
}

func TestThePageAnswersWhatPeopleOnCallAsk(t *testing.T) {
	inBubble(t, map[string]string{"big": strings.Repeat("x", 1<<19), "small": "v"}, func(s *site) {
		page := s.page(debugpage.Options{Instance: "pod-7"})
		release := make(chan struct{})
		s.Cleanup(func() { close(release) })
		s.store.OnChange(func(mapstore.Change) { <-release })
		s.set("small", "vv")
		onPurpose := errors.New("on purpose")
		if _, err := s.store.Update(s.Context(), func(*mapstore.Tx) error { return onPurpose }); !errors.Is(err, onPurpose) {
			s.Fatal(err)
		}
		time.Sleep(2 * time.Second) // of the bubble's clock

		body := load(page, "/")
		expectText(s.T, body,
			"Fresh: ns/settings", "in pod-7", "The copy follows the API server.",
			"Revision 3 ", "Last contact 2 s ago",
			"50.0 %", "524,290 of 1,048,576 bytes", "Keys 2 ",
			"Transactions 1 1.0 a commit", "Requests 1 ", "Commits 1 ", "Conflicts 0 0.0 % of the requests", "Waiting now 0", "Failed 0 and 1 ended by their own function", "Unknown outcome 0",
			"TestThePageAnswersWhatPeopleOnCallAsk", "this page nothing",
			"1 modified, +1 B modified small 1 B → 2 B", "2 keys, 512.0 KiB, when the page began to follow",
			"big 512.0 KiB small 2 B",
		)
		order := -1
		for _, question := range []string{`id="health"`, `id="size"`, `id="writes"`, `id="subscriptions"`, `id="changes"`, `id="keys"`} {
			at := strings.Index(body, question)
			if at <= order {
				s.Errorf("%s is not where it belongs", question)
			}
			order = at
		}

		d := decode(s.T, get(page, "/", "Accept", "application/json"))
		if d.Status.State != "fresh" || d.Status.Revision != "3" || d.Namespace != "ns" || d.Name != "settings" || d.Instance != "pod-7" || time.Since(d.Status.LastContact) != 2*time.Second {
			s.Errorf("the JSON form says %+v", d)
		}
		if d.Size.Bytes != 1<<19+2 || d.Size.LimitBytes != 1<<20 || d.Size.Keys != 2 || d.Writes.Transactions != 1 || d.Following.Versions != 2 {
			s.Errorf("the JSON form says %+v", d)
		}
		if worst := d.Subscriptions[0]; worst.LagSeconds != 2 || worst.OfThisPage || !d.Subscriptions[1].OfThisPage || d.Changes[0].Modified != 1 {
			s.Errorf("the JSON form says %+v", d)
		}
	})
}

// Subscriptions come in any order, so that one look would not tell.
func TestTheSubscriptionsOfAFunctionAreAsFarBehindAsTheLastOfThem(t *testing.T) {
	inBubble(t, map[string]string{"k": "v"}, func(s *site) {
		page := s.page(debugpage.Options{})
		release, released := make(chan struct{}), make(chan struct{})
		close(released)
		defer close(release)
		for _, until := range []chan struct{}{release, release, released} {
			s.store.OnChange(func(mapstore.Change) { <-until })
			time.Sleep(10 * time.Second) // of the bubble's clock
		}
		for range 50 {
			all := figures(s.T, page).Subscriptions
			if len(all) != 2 || all[0].Number != 3 || all[0].Behind != 2 || all[0].LagSeconds != 30 {
				s.Fatalf("the subscriptions are %+v", all)
			}
		}
	})
}

func TestAnUnhealthyStoreIsSaidToBeSo(t *testing.T) {
	inBubble(t, map[string]string{"k": "v"}, func(s *site) {
		page := s.page(debugpage.Options{})
		denial := apierrors.NewForbidden(corev1.Resource("configmaps"), "settings", errors.New("<b onclick=x>no</b>"))
		s.api.Fail(mapstoretest.Answer(denial))
		s.api.Fail(mapstoretest.Refused()).End() // breaks the watch
		time.Sleep(time.Minute)                  // of the bubble's clock
		body := load(page, "/")
		expectText(s.T, body, "Stale: ns/settings", "Reads serve the last known version", "cannot follow the API server", "onclick")
		if strings.Contains(body, "<b onclick") {
			s.Error("the server's markup is the page's")
		}
		s.store.Close()
		expectText(s.T, load(page, "/"), "Closed: ns/settings", "writes fail")

		fresh, err := mapstore.New(s.api.Client(), "ns", "settings", mapstore.Options{})
		if err != nil {
			s.Fatal(err)
		}
		defer fresh.Close()
		body = load(debugpage.New(fresh, debugpage.Options{}), "/")
		expectText(s.T, body, "Not synced: ns/settings", "every read finds it empty", "Start has not been called", "Last contact none yet", "Revision none yet")
	})
}

func TestRejectedValuesAreNamed(t *testing.T) {
	inBubble(t, map[string]string{"port": "secret-nonsense", "wait": "1s"}, func(s *site) {
		defer typed.Bind(s.store, "port", typed.Int[int](), 80).Close()
		defer typed.Bind(s.store, "wait", typed.Duration(), 0).Close()
		page := s.page(debugpage.Options{})
		body := load(page, "/")
		expectText(s.T, body, "Rejected 1 value; the last good one is served: port", "0 reconnects, 1 rejected value ")
		for _, got := range []string{body, load(page, "/?format=json")} {
			if strings.Contains(got, "secret-nonsense") {
				s.Errorf("the value is shown: %s", got)
			}
		}
		s.set("port", "81")
		if strings.Contains(load(page, "/"), "last good") {
			s.Error("the value is still rejected")
		}
	})
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
	data := make(map[string]string)
	for i := range 1000 {
		data[fmt.Sprintf("tenant-%03d", i)] = strings.Repeat("x", (i*37)%1000)
	}
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
		expectText(s.T, load(page, "/?prefix=tenant-99&sort=name"), "1 to 10 of 10 keys that begin with tenant-99 , of 1,000 in all", "tenant-990", "tenant-999")
		expectText(s.T, load(page, "/?page=999999"), "951 to 1,000 of 1,000 keys")
		expectText(s.T, load(page, "/?prefix=none"), "No keys that begin with none")
		if got := len(decode(s.T, get(page, "/?format=json&prefix=tenant-1")).Keys); got != 100 {
			s.Errorf("the JSON form has %d keys, want 100", got)
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

func TestThePageWorksUnderAnyPath(t *testing.T) {
	inBubble(t, map[string]string{"k": "v"}, func(s *site) {
		page := s.page(debugpage.Options{})
		mux := http.NewServeMux()
		mux.Handle("/debug/mapstore/", page)
		mux.Handle("/one", page)
		mux.Handle("/deep/er/", http.StripPrefix("/deep/er", page))
		for _, path := range []string{"/debug/mapstore/", "/one", "/deep/er/"} {
			body := load(mux, path)
			expectText(s.T, body, "Fresh: ns/settings")
			for _, match := range href.FindAllStringSubmatch(body, -1) {
				if url := match[1]; url != "data:," && !strings.HasPrefix(url, "?") {
					s.Errorf("%s: a link leads to %q", path, url)
				}
			}
			expectText(s.T, load(mux, path+"?key=k"), "Values are hidden.")
		}
	})
}
