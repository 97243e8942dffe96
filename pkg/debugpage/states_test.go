package debugpage_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"html"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/unrolled/mapstore/v2/pkg/debugpage"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
	"github.com/unrolled/mapstore/v2/pkg/typed"
)

var update = flag.Bool("update", false, "write testdata/*.txt anew")

var (
	notShown = regexp.MustCompile(`(?s)<(style|script)>.*?</(style|script)>`)
	endsLine = regexp.MustCompile(`</(title|h1|h2|p|li|tr|dl|div)>`)
	tag      = regexp.MustCompile(`<[^>]*>`)
	space    = regexp.MustCompile(`[ \t\r]*\n[\s]*|[ \t\r]+`)
	random   = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d+ reconnects|"reconnects": \d+|[\d.]+s:`)
)

// text is what people read of a page, in lines.
func text(page string) string {
	page = strings.ReplaceAll(notShown.ReplaceAllString(page, ""), "\n", " ")
	page = html.UnescapeString(tag.ReplaceAllString(endsLine.ReplaceAllString(page, "\n"), " "))
	return strings.TrimSpace(space.ReplaceAllStringFunc(page, func(s string) string {
		if strings.Contains(s, "\n") {
			return "\n"
		}
		return " "
	}))
}

// stuck is a callback that is behind until the test ends.
func (s *site) stuck(mapstore.Change) { <-s.Context().Done() }

func (s *site) idle(mapstore.Change) {}

// What the page says in each state is in testdata, with the state's name. In a bubble
// all of it is the same each time, but for random identities and backoffs.
func TestWhatThePageSays(t *testing.T) {
	for name, state := range map[string]struct {
		options debugpage.Options
		data    map[string]string // at first; nil: there is no map
		happens func(*site)       // after the page was made
		urls    []string
		again   int // how often to look again, at what a map holds in any order
	}{
		"on call": {
			data: map[string]string{"big": strings.Repeat("x", 1<<19), "small": "v"},
			happens: func(s *site) {
				s.store.OnChange(s.stuck)
				s.set("small", "vv")
				s.set("small", "")
				onPurpose := errors.New("on purpose")
				if _, err := s.store.Update(s.Context(), func(*mapstore.Tx) error { return onPurpose }); !errors.Is(err, onPurpose) {
					s.Fatal(err)
				}
				time.Sleep(2 * time.Second) // of the bubble's clock
			},
			urls: []string{"/", "/?format=json", "/?key=small", "/?key=absent"},
		},
		// The subscriptions of a function are as far behind as the last of them.
		"subscriptions": {
			data: map[string]string{"k": "v"},
			happens: func(s *site) {
				for _, callback := range []func(mapstore.Change){s.stuck, s.stuck, s.idle} {
					s.store.OnChange(callback)
					time.Sleep(10 * time.Second)
				}
				s.store.OnChange(s.idle)
			},
			again: 20,
		},
		"stale": {
			data: map[string]string{"k": "v"},
			happens: func(s *site) {
				denial := apierrors.NewForbidden(corev1.Resource("configmaps"), "settings", errors.New("<b onclick=x>no</b>"))
				s.api.Fail(mapstoretest.Answer(denial))
				s.api.Fail(mapstoretest.Refused()).End() // breaks the watch
				time.Sleep(time.Minute)
			},
		},
		"from a backup": {
			data: map[string]string{"k": "v"},
			happens: func(s *site) {
				opts := mapstore.Options{Namespace: "ns", Backup: filepath.Join(s.TempDir(), "settings")}
				s.api.Open(s.T, "settings", opts).Close()
				s.api.Fail(mapstoretest.Refused())
				time.Sleep(25 * time.Hour)
				s.store = s.api.Start(s.T, "settings", opts)
				s.shown = s.page(debugpage.Options{Instance: "pod-7"})
			},
			urls: []string{"/", "/?format=json"},
		},
		"closed":     {data: map[string]string{"k": "v"}, happens: func(s *site) { s.store.Close() }},
		"not synced": {happens: func(s *site) { s.another("settings") }},
		// What was there when the page was made counts as the beginning, and so does what
		// the first sync brings. On an empty map the first change is one that somebody has made.
		"empty at first": {data: map[string]string{}, happens: func(s *site) { s.set("k", "v") }},
		"a page from before the sync": {data: map[string]string{"k": "v"}, happens: func(s *site) {
			s.another("settings")
			s.begin()
		}},
		"a page from before the sync with no map": {happens: func(s *site) {
			s.another("absent")
			s.begin()
		}},
		"rejected": {
			data: map[string]string{"port": "nonsense", "wait": "1s", "rate": "1"},
			happens: func(s *site) {
				s.Cleanup(typed.Bind(s.store, "port", typed.Int[int](), 80).Close)
				s.Cleanup(typed.Bind(s.store, "rate", typed.Int[int](), 80).Close)
				s.Cleanup(typed.Bind(s.store, "wait", typed.Duration(), 0).Close)
				s.set("rate", "nonsense")
				s.set("rate", "2")
			},
			urls: []string{"/", "/?format=json"},
		},
		"the last changes": {
			options: debugpage.Options{Changes: 3},
			data:    map[string]string{"k": "0"},
			happens: func(s *site) {
				for i := range 5 {
					s.set("k", strings.Repeat("x", i+2))
				}
			},
		},
		"many changes": {happens: func(s *site) {
			for i := range 15 {
				s.set("k", fmt.Sprint(i))
				time.Sleep(5 * time.Second)
			}
		}},
		"deleted": {
			data:    map[string]string{"k": "v"},
			happens: func(s *site) { s.settings.Delete() },
			urls:    []string{"/", "/?format=json"},
		},
		"recreated": {
			data: map[string]string{"k": "v"},
			happens: func(s *site) {
				s.settings.Delete()
				synctest.Wait()
				s.settings.Put(map[string]string{"k": "v2"})
			},
			urls: []string{"/", "/?format=json"},
		},
		"ten thousand keys": {happens: func(s *site) {
			s.update(func(tx *mapstore.Tx) {
				for i := range 10_000 {
					tx.Set(fmt.Sprintf("key-%05d", i), "v")
				}
			})
			s.set("key-00000", "w")
			s.update(func(tx *mapstore.Tx) { tx.Clear() })
		}},
		"pages of keys": {
			data: numbered(1000),
			urls: []string{"/?prefix=tenant-99&sort=name", "/?page=999999", "/?prefix=none", "/?format=json&prefix=tenant-42"},
		},
		"values": {
			options: debugpage.Options{Values: debugpage.ShowValuesToAllWhoReachThePage},
			data:    map[string]string{"long": strings.Repeat("0123456789abcde\n", 6), "json": `{"a": "b\u0041"}`, "control": "a\x00\u202eb", "empty": ""},
			happens: func(s *site) { s.set("binary", "\x00\x01\xff\xfe"+strings.Repeat("\x80", 30)) },
			urls:    []string{"/", "/?key=long", "/?key=binary", "/?key=control", "/?key=empty"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, state.data, func(s *site) {
				state.options.Instance = "pod-7"
				s.shown = s.page(state.options)
				if state.happens != nil {
					state.happens(s)
				}
				synctest.Wait()
				if state.urls == nil {
					state.urls = []string{"/"}
				}
				var got strings.Builder
				for _, url := range state.urls {
					body := load(s.shown, url)
					for range state.again {
						if load(s.shown, url) != body {
							s.Errorf("%s says something else the second time", url)
						}
					}
					if !strings.HasPrefix(body, "{") {
						if len(body) > 40<<10 || strings.Contains(body, "<b ") {
							s.Errorf("%s has %d bytes, or the server's markup is the page's", url, len(body))
						}
						body = text(body)
					}
					fmt.Fprintf(&got, "GET %s\n%s\n\n", url, random.ReplaceAllString(strings.TrimSpace(body), "…"))
				}
				golden := filepath.Join("testdata", strings.ReplaceAll(name, " ", "-")+".txt")
				if *update {
					if err := os.WriteFile(golden, []byte(got.String()), 0o600); err != nil {
						s.Fatal(err)
					}
				}
				want, err := os.ReadFile(golden)
				if err != nil || got.String() != string(want) {
					s.Errorf("it says something else than %s (%v; -update writes it anew):\n%s", golden, err, got.String())
				}
			})
		})
	}
}

// another makes a store and its page, before the store is started.
func (s *site) another(name string) {
	s.Helper()
	store, err := mapstore.New(s.api.Client(), "ns", name, mapstore.Options{})
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = store.Close() })
	s.store = store
	s.shown = s.page(debugpage.Options{Instance: "pod-7"})
}

// begin starts the store, and writes to it.
func (s *site) begin() {
	s.Helper()
	go s.store.Start(context.Background()) //nolint:errcheck // it was not started before
	if err := s.store.WaitForSync(s.Context()); err != nil {
		s.Fatal(err)
	}
	synctest.Wait()
	s.set("another", "v")
}

// numbered returns keys and values of different lengths.
func numbered(n int) map[string]string {
	data := make(map[string]string)
	for i := range n {
		data[fmt.Sprintf("tenant-%03d", i)] = strings.Repeat("x", (i*37)%1000)
	}
	return data
}
