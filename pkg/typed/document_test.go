package typed_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/unrolled/mapstore/v2/pkg/typed"
)

type pool struct {
	Timeout time.Duration            `json:"timeout"`
	Workers int                      `json:"workers"`
	Labels  map[string]string        `json:"labels,omitempty"`
	Steps   []step2                  `json:"steps,omitempty"`
	Waits   map[string]time.Duration `json:"waits,omitempty"`
	Inner   struct{ Grace *time.Duration }
}

type step2 struct {
	Name string
	Wait time.Duration
}

// In a document, as in a key of its own, a duration is written as people write it.
func TestDurationsInDocuments(t *testing.T) {
	minutes := 3 * time.Minute
	want := pool{Timeout: 3 * time.Minute, Steps: []step2{{"a", time.Second}, {"b", 0}}, Waits: map[string]time.Duration{"x": time.Hour}}
	want.Inner.Grace = &minutes
	const text = "timeout: 3m\nsteps:\n- {Name: a, wait: 1s}\n- Name: b\n  Wait: 0\nwaits: {x: 1h}\nInner: {Grace: 3m}\n"
	check(t, "YAML", typed.YAML[pool](), good(text, want), bad("workers: 1\ntimeout: 180\n", "a duration without a unit, such as 3m, at line 2, column 10"), bad("timeout: soon", "not a duration, at line 1, column 10"),
		bad("steps:\n  - Name: a\n  - Name: b\n    Wait: 5\n", "without a unit, such as 3m, at line 4, column 11"), bad("waits: {x: 1h, z: 1}", "line 1, column 19"), bad("timeout: [1]", "does not fit"))
	check(t, "JSON", typed.JSON[pool](), good(`{"timeout":"3m","steps":[{"Name":"a","Wait":"1s"},{"name":"b","wait":0}],"waits":{"x":"1h"},"inner":{"grace":"3m"}}`, want),
		bad("{\"workers\":1,\n \"timeout\":180}", "a duration without a unit, such as 3m, at line 2, column 12"))
	for name, codec := range map[string]typed.Codec[pool]{"JSON": typed.JSON[pool](), "YAML": typed.YAML[pool]()} {
		written, err := codec.Encode(want)
		if err != nil || !strings.Contains(written, "3m0s") {
			t.Errorf("%s: written as %s, %v", name, written, err)
		}
		if back, err := codec.Decode(written); err != nil || !reflect.DeepEqual(back, want) {
			t.Errorf("%s: %s is read as %v, %v", name, written, back, err)
		}
	}
}

func TestADocumentOverDefaultsKeepsWhatItDoesNotWrite(t *testing.T) {
	usual := pool{Timeout: time.Second, Workers: 4, Labels: map[string]string{"a": "1", "b": "2"}, Steps: []step2{{"a", time.Second}, {"b", time.Second}}}
	codec := typed.YAML(typed.Over(usual))
	want := usual
	want.Workers = 8
	check(t, "one field", codec, good("workers: 8", want), good("Workers: 8\ntimeout:\n", want), bad("", "null"), bad("workers: x", "line 1, column 10"))
	want.Labels, want.Steps = map[string]string{"a": "9", "b": "2"}, []step2{{"c", 0}}
	check(t, "an object and a list", codec, good("workers: 8\nlabels: {a: '9'}\nsteps: [{name: c}]\n", want))
	check(t, "nothing", codec, good("{}", usual))
	got, err := codec.Decode("{}")
	if err != nil {
		t.Fatal(err)
	}
	got.Labels["a"] = "changed"
	if usual.Labels["a"] != "1" {
		t.Error("the defaults are shared")
	}
	check(t, "strict", typed.StrictJSON(typed.Over(usual)), bad(`{"worker": 8}`, "not known"), good(`{"workers": 4}`, usual))
}

// The place of a value in the text, however it is written.
func TestARejectionNamesTheLineAndColumn(t *testing.T) {
	type deep struct {
		A struct {
			B []struct{ C, D int }
		}
		E []int
		F map[string]int
	}
	for text, where := range map[string]string{
		"a:\n  b:\n  - c: 1\n    d: x\n":                               "line 4, column 8",
		"a:\n    b:\n      -   d: 1\n      -   c: 1\n          d: x\n": "line 5, column 14",
		"# x: y\n---\na: # b:\n  b:\n\n  # - c\n  - c: x\n":            "line 7, column 8",
		"%YAML 1.1\n---\ne:\n- 1\n- 2\n- x":                            "line 6, column 3",
		"e:\n  - 1\n  -\n    x\n":                                      "line 4, column 5",
		"a: {b: [{c: 1, d: 2}, {d: 3, c: x}]}":                         "line 1, column 33",
		"a: {b: [\n  {c: 1},\n  {\"c\": \"it's, {\"}\n]}":              "line 3, column 9",
		"'a': {b: [{c: 1}, # c: 2\n {c: x}]}":                          "line 2, column 6",
		"f:\n  text: |\n    y: 1\n  y: x\n":                            "line 2, column 9",
		"f:\n  \"a: b\": 1\n  'c: d': x\n":                             "line 3, column 11",
		"f:\n  é: 1\n  ü: x # ü\n":                                     "line 3, column 6",
		"e: &e\n- 1\n- x\n":                                            "line 3, column 3",
		"f: !!map\n  a: x":                                             "line 2, column 6",
		"{\"a\": {\"b\": [\n\t{\"c\": 1, \"d\": \"x\"}]}}":             "line 2, column 16",
		"\ufeffe: x":                   "line 1, column 4",
		"a: 1\r\n":                     "line 1, column 4",
		"f: &f {a: 1}\na: *f\ne: *f\n": "line 3, column 4", // behind an alias there is no place
	} {
		_, err := typed.YAML[deep]().Decode(text)
		if err == nil || !strings.Contains(err.Error(), "at "+where+",") {
			t.Errorf("%q: %v, want %s", text, err, where)
		}
	}
}

// Names that YAML's own package would read, and this codec would not.
func TestTagsThatYAMLWouldNotReadAreFoundAtOnce(t *testing.T) {
	type inner struct {
		Max int `yaml:"max-conns"`
	}
	type inlined struct {
		Rest inner2 `yaml:",inline"`
	}
	for name, make := range map[string]func(){
		"another name": func() { typed.YAML[inner]() },
		"deep":         func() { typed.StrictYAML[map[string][]*inner]() },
		"inline":       func() { typed.YAML[inlined]() },
	} {
		func() {
			defer func() {
				if text, _ := recover().(string); !strings.Contains(text, "yaml tag") {
					t.Errorf("%s: panics with %q", name, text)
				}
			}()
			make()
		}()
	}
	type both struct {
		Max  int    `yaml:"max-conns" json:"max-conns"`
		Name string `yaml:"name,omitempty"`
		Next *both
	}
	check(t, "the same names", typed.YAML[both](), good("max-conns: 1\nname: a\n", both{Max: 1, Name: "a"}))
}

type inner2 struct{ A int }
