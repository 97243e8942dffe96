package typed_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"math/big"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
	"github.com/unrolled/mapstore/v2/pkg/typed"
)

type level string

type server struct {
	Name string            `json:"name"`
	Port uint16            `json:"port"`
	Tags map[string]string `json:"tags,omitempty"`
	Next *server           `json:"next,omitempty"`
}

// A row is a text, and what it means or which words the error has.
type row struct {
	text string
	want any
	err  string
}

func good(text string, want any) row { return row{text: text, want: want} }
func bad(text, err string) row       { return row{text: text, err: err} }

func check[T any](t *testing.T, name string, codec typed.Codec[T], rows ...row) {
	t.Helper()
	for _, r := range rows {
		got, err := codec.Decode(r.text)
		switch {
		case r.err != "" && (err == nil || !strings.Contains(err.Error(), r.err)):
			t.Errorf("%s: %.40q is %.40v, %v, want an error with %q", name, r.text, got, err, r.err)
		case r.err == "" && (err != nil || !reflect.DeepEqual(any(got), r.want)):
			t.Errorf("%s: %.40q is %#v, %v, want %#v", name, r.text, got, err, r.want)
		}
	}
}

func TestWhatTextsMean(t *testing.T) {
	check(t, "String", typed.String[level](), good(" a\n", level(" a\n")), good("\xff", level("\xff")), good("", level("")))
	check(t, "Bool", typed.Bool(), good("true\n", true), good(" F\r\n", false), good("1", true), bad("yes", "not a boolean"), bad("", "not a boolean"), bad("true false", "not a boolean"))
	check(t, "Int[int8]", typed.Int[int8](), good("127", int8(127)), good("-128\n", int8(-128)), good("010", int8(10)), good("+5", int8(5)),
		bad("128", "out of the range of int8"), bad("1e2", "not an integer"), bad("0x10", "not an integer"), bad("1_0", "not an integer"), bad("1.0", "not an integer"), bad(strings.Repeat("9", 1<<20), "out of the range"))
	check(t, "Int[uint16]", typed.Int[uint16](), good("65535", uint16(65535)), bad("65536", "out of the range of uint16"), bad("-1", "without a sign"))
	check(t, "Int[time.Month]", typed.Int[time.Month](), good("12", time.December))
	check(t, "Float", typed.Float[float64](), good("1e3", 1000.0), good("-0.5\n", -0.5), good("5e-324", 5e-324),
		bad("1e400", "out of the range"), bad("NaN", "finite"), bad("-Inf", "finite"), bad("1,5", "not a number"), bad("", "not a number"))
	check(t, "Float[float32]", typed.Float[float32](), good("0.1", float32(0.1)), bad("1e39", "out of the range of float32"))
	check(t, "Duration", typed.Duration(), good("1h30m\n", 90*time.Minute), good("-5s", -5*time.Second), good("0", time.Duration(0)), bad("5", "not a duration"), bad("1d", "not a duration"), bad("300000000h", "not a duration"))
	check(t, "Quantity", typed.Quantity(), good("2Gi\n", resource.MustParse("2Gi")), good("500m", resource.MustParse("500m")), good("1E", resource.MustParse("1E")), good("-1e3", resource.MustParse("-1e3")),
		bad("1 Gi", "not a quantity"), bad("", "not a quantity"), bad("1e-99999999", "64 characters"), bad("1E+2147483647", "64 characters"), bad(strings.Repeat("9", 1<<20), "64 characters"))
	check(t, "Text", typed.Text[netip.Addr](), good("10.0.0.1\n", netip.MustParseAddr("10.0.0.1")), bad("10.0.0.256", "ParseAddr"))
	check(t, "Text[slog.Level]", typed.Text[slog.Level](), good("warn+1", slog.LevelWarn+1), bad("loud", "slog"))

	config := server{"a", 80, map[string]string{"x": "y"}, nil}
	check(t, "JSON", typed.JSON[server](), good(`{"name":"a","port":80,"tags":{"x":"y"},"new":1}`+"\n", config),
		bad("", "too soon"), bad(`{"name":"a"`, "too soon"), bad(`{"name":"a"} x`, "after"), bad(`{} {}`, "after"), bad("null", "null"), bad(`{"port":-1}`, "field port, at line 1, column 9, does not fit into the type uint16"),
		bad(`{"next":{"port":"x"}}`, "next.port"), bad("{'a':1}", "at line 1, column 2"), bad("[]", "does not fit into the type typed_test.server"), good("\ufeff{}\r\n", server{}), bad("\u00a0{}", "line 1, column 1, which begins with a no-break space"))
	check(t, "StrictJSON", typed.StrictJSON[server](), bad("{\n \"nam\":\"a\"}", "not known, at line 2, column 8"), good(`{"port":1}`, server{Port: 1}))
	check(t, "JSON[*T]", typed.JSON[*server](), bad("null", "null"), good("{}", &server{}))
	check(t, "JSON[map]", typed.JSON[map[string]int](), good("null", map[string]int(nil)))

	check(t, "YAML", typed.YAML[server](), good("name: a\nport: 80\ntags: {x: 'y'}\nnew: 1\n", config), good(`{"name":"a","port":80,"tags":{"x":"y"}}`, config),
		good("# one\n---\nname: a\nport: 80\ntags: &t\n  x: 'y'\n", config), good("base: &b {name: a}\n<<: *b\nport: 1\n...\n", server{Name: "a", Port: 1}),
		good("name: |\n  a\n  --- b\nport: 1", server{Name: "a\n--- b\n", Port: 1}),
		bad("", "null"), bad("# nothing\n", "null"), bad("~", "null"), bad("name: a\n---\nname: b\n", "more than one"), bad("name: a\r---\rname: b\r", "more than one"), bad("name: a\n...\nname: b", "more than one"),
		bad("name: a\nname: b\n", "a YAML key that occurs twice, at line 2, column 1"), bad("name: a\n\nname:\n  - a\n", "twice, at line 3, column 1"), bad("name: [\n", "not YAML: an error, at line 2, column 1"), bad("name: 1.10\n", "field name, at line 1, column 7"), bad("# a\nport: x", "field port, at line 2, column 7"), bad("name: *nobody", "an alias without an anchor, at line 1, column 7"), bad("\xff\xfea\x00", "not UTF-8: it begins with a byte order mark of UTF-16"), bad("name: \"a\nport: 1", "not YAML: an error, at line 2"), bad("name: a\n  port: 1\n", "not YAML: an error, at line 2, column 7"), bad("name: a\n- b\n", "not YAML: an error, at line 2"), bad("x: .inf", "YAML of a kind"), bad("\tname: a", "not YAML"))
	check(t, "StrictYAML", typed.StrictYAML[server](), bad("port: 1\nnext:\n  nam: a", "a field that is not known, at line 3, column 8"), good("port: 1", server{Port: 1}))
	check(t, "YAML, merges", typed.YAML[any](), good("- &s {name: a, port: 1}\n- <<: *s\n  name: b\n", []any{map[string]any{"name": "a", "port": 1.0}, map[string]any{"name": "b", "port": 1.0}}),
		good("a: &a {x: 1}\nb: &b {x: 2, z: 2}\nc:\n  x: 0\n  <<: [*a, *b]\nd: {<<: [*a, *b]}\ne: 'cat <<: mergex'\n", map[string]any{"a": map[string]any{"x": 1.0}, "b": map[string]any{"x": 2.0, "z": 2.0}, "c": map[string]any{"x": 0.0, "z": 2.0}, "d": map[string]any{"x": 1.0, "z": 2.0}, "e": "cat <<: mergex"}),
		bad("a: &a {x: 1}\nb:\n  <<: *a\n  x: 2\n  x: 3\n", "a YAML key that occurs twice, at line 5, column 3"), bad("a: &a {x: 1}\nb:\n  <<: *a\n  <<: *a\n", "a YAML key that occurs twice, at line 4, column 3"))
	check(t, "YAML[any]", typed.YAML[any](), good("", nil), good("[1, yes, '2']", []any{1.0, true, "2"}))
}

// Whatever puts a key into a map, a file with a mark or the line ends of another system
// among them, the same word means the same.
func TestWhatNobodySees(t *testing.T) {
	for _, around := range [][2]string{{"\ufeff", ""}, {"", "\n"}, {"", "\r\n"}, {"\u00a0", "\u00a0"}, {" \ufeff\t\ufeff", " \u2028"}} {
		in := func(text string) string { return around[0] + text + around[1] }
		check(t, "Bool", typed.Bool(), good(in("true"), true))
		check(t, "Int", typed.Int[int](), good(in("5"), 5))
		check(t, "Float", typed.Float[float64](), good(in("5"), 5.0))
		check(t, "Duration", typed.Duration(), good(in("30s"), 30*time.Second))
		check(t, "Quantity", typed.Quantity(), good(in("2Gi"), resource.MustParse("2Gi")))
		check(t, "Text", typed.Text[netip.Addr](), good(in("::1"), netip.MustParseAddr("::1")))
		check(t, "Line", typed.Line[level](), good(in("a b"), level("a b")))
		check(t, "List", typed.List(typed.Int[int]()), good(in("1, 2"), []int{1, 2}))
		check(t, "String", typed.String[string](), good(in("x"), in("x")))
	}
	check(t, "Duration", typed.Duration(), bad("\u200b30s", "not a duration: it begins with a zero width space"), bad("3\u00a0s", "not a duration: it has a no-break space at byte 2"),
		bad("30s\n40s", "a line break at byte 4"), bad("30s\ufeff", "has a byte order mark at byte 4"), bad("\xff\xfe3\x000\x00", "mark of UTF-16"), bad("3\x00", "a NUL byte at byte 2"),
		bad("3\u2029s", "an invisible character"), bad("3\x07s", "a control character"), bad("3 s", "not a duration"))
	check(t, "Text", typed.Text[netip.Addr](), bad("10.0.0.1\u200b", "it has a zero width space at byte 9"))
	check(t, "Line", typed.Line[string](), bad("a\nb", "more than one line"))
	check(t, "JSON", typed.JSON[server](), bad("{\"port\":\u00a01}", "line 1, column 9, which begins with a no-break space"))
}

func TestListsSetsAndConstraints(t *testing.T) {
	check(t, "List", typed.List(typed.Int[int]()), good("", []int{}), good("1", []int{1}), good("1,2,\n", []int{1, 2}), good("1\r\n2\r\n\r\n3", []int{1, 2, 3}), good(",, 1 ,\n, 2", []int{1, 2}),
		bad("1,x", "element 2"), bad("1 2", "not an integer"), bad("1;2", "not an integer"))
	check(t, "Set", typed.Set(typed.Line[string]()), good("b, a,b", map[string]struct{}{"a": {}, "b": {}}), good(" ", map[string]struct{}{}))
	check(t, "OneOf", typed.OneOf(typed.Line[level](), "debug", "info"), good("info\n", level("info")), bad("Info", "not one of debug, info"), bad("", "not one of"), bad("info\u200b", "not one of debug, info: it has a zero width space"))
	check(t, "Between", typed.Between(typed.Duration(), time.Second, time.Minute), good("1m", time.Minute), bad("61s", "must be 1s to 1m0s"), bad("0", "must be"), bad("x", "not a duration"))
	check(t, "Matching", typed.Matching(typed.Line[string](), "[a-z]+|x1"), good("abc", "abc"), good("x1", "x1"), bad("abc1", "does not match [a-z]+|x1"), bad("", "does not match"))
	check(t, "List of OneOf", typed.List(typed.OneOf(typed.Line[string](), "a", "b")), good("a,b,a", []string{"a", "b", "a"}), bad("a,c", "not one of a, b"))
	roundTripOf(t, typed.List(typed.Duration()), "1s,1m0s", []time.Duration{time.Second, time.Minute})
	roundTripOf(t, typed.Set(typed.Int[int]()), "1,10,2", map[int]struct{}{10: {}, 2: {}, 1: {}})
	for _, element := range []string{"", "a,b", "a\nb", " a", "a\u00a0", "\ufeffa"} {
		if text, err := typed.List(typed.String[string]()).Encode([]string{"x", element}); err == nil {
			t.Errorf("%q in a list is written as %q", element, text)
		}
	}
	for want, got := range map[string]typed.Shape{
		"list of string, one of a, b":      typed.List(typed.OneOf(typed.String[string](), "a", "b")).Shape(),
		"integer, 1 to 9":                  typed.Between(typed.Int[int](), 1, 9).Shape(),
		"line, matching a+":                typed.Matching(typed.Line[string](), "a+").Shape(),
		"duration":                         typed.Duration().Validate(func(time.Duration) error { return nil }).Shape(),
		"slog.Level":                       typed.Text[slog.Level]().Shape(),
		"number, one of 0.5, 1, 0.25 to 2": typed.OneOf(typed.Between(typed.Float[float64](), 0.25, 2), 0.5, 1).Shape(),
	} {
		if got.String() != want {
			t.Errorf("a shape is %q, want %q", got, want)
		}
	}
}

func roundTripOf[T any](t *testing.T, codec typed.Codec[T], want string, value T) {
	t.Helper()
	text, err := codec.Encode(value)
	if text != want || err != nil {
		t.Errorf("%v is written as %q, %v, want %q", value, text, err, want)
	}
	if back, err := codec.Decode(text); err != nil || !reflect.DeepEqual(back, value) {
		t.Errorf("%q is read as %v, %v, want %v", text, back, err, value)
	}
}

// Promise 12, for each codec: what a text looks like is not in the error.
func TestNoCodecQuotesTheText(t *testing.T) {
	const canary = "canary4711"
	texts := []string{canary, `"` + canary + `"`, `{"` + canary + `":1}`, `{"port":"` + canary + `"}`, `{"port":4711471147114711}`, "name: a\n" + canary, "*" + canary, "a: *" + canary,
		"!" + canary + " x", canary + ": 1\n" + canary + ": 2", "port: 4711471147114711", "port: " + canary, "{" + canary, "[1, 2}" + canary, "%" + canary + "\n---\n", "\"\\" + canary, "? {" + canary + ": 1}\n: 2", `{"when":"` + canary + `"}`, `{"raw":"` + canary + `!"}`, `{"quoted":"` + canary + `"}`}
	type all struct {
		server
		When   time.Duration `json:"when"`
		Raw    []byte        `json:"raw"`
		Quoted int           `json:"quoted,string"`
		Map    map[string]int
		Time   time.Time
	}
	texts = append(texts, `{"Map":{"`+canary+`":"x"}}`, `{"Time":"`+canary+`"}`)
	doNotQuote(t, "Bool", typed.Bool(), texts, canary)
	doNotQuote(t, "Int", typed.Int[int](), texts, canary)
	doNotQuote(t, "Float", typed.Float[float32](), texts, canary)
	doNotQuote(t, "Duration", typed.Duration(), texts, canary)
	doNotQuote(t, "Quantity", typed.Quantity(), texts, canary)
	doNotQuote(t, "Text", typed.Text[netip.Addr](), texts, canary)
	doNotQuote(t, "Time", typed.Text[time.Time](), texts, canary)
	doNotQuote(t, "JSON", typed.JSON[all](), texts, canary)
	doNotQuote(t, "StrictJSON", typed.StrictJSON[all](), texts, canary)
	doNotQuote(t, "YAML", typed.YAML[all](), texts, canary)
	doNotQuote(t, "StrictYAML", typed.StrictYAML[all](), texts, canary)
}

func doNotQuote[T any](t *testing.T, name string, codec typed.Codec[T], texts []string, canary string) {
	t.Helper()
	rejected := 0
	for _, text := range texts {
		var zero T
		_, err := codec.From(mapstore.NewSnapshot(map[string]string{"k": text}), "k", zero)
		if err != nil {
			rejected++
		}
		if said := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(said, canary) || strings.Contains(said, "47114711") {
			t.Errorf("%s: of %q it says %s", name, text, said)
		}
	}
	if rejected < 10 {
		t.Errorf("%s rejects %d texts only", name, rejected)
	}
}

func TestEncodingIsCanonicalAndReadable(t *testing.T) {
	roundTrip(t, typed.String[level](), map[level]string{"": "", " x\n": " x\n"})
	roundTrip(t, typed.Bool(), map[bool]string{true: "true", false: "false"})
	roundTrip(t, typed.Int[int64](), map[int64]string{math.MinInt64: "-9223372036854775808"})
	roundTrip(t, typed.Int[uint64](), map[uint64]string{math.MaxUint64: "18446744073709551615"})
	roundTrip(t, typed.Float[float32](), map[float32]string{0.1: "0.1", 1e38: "1e+38"})
	roundTrip(t, typed.Duration(), map[time.Duration]string{90 * time.Minute: "1h30m0s", -1: "-1ns"})
	roundTrip(t, typed.Text[netip.Addr](), map[netip.Addr]string{netip.MustParseAddr("::1"): "::1"})
	if text, err := typed.Quantity().Encode(resource.MustParse("1024Mi")); text != "1Gi" || err != nil {
		t.Errorf("1024Mi is written as %q, %v", text, err)
	}
	config := server{Name: "yes", Port: 80, Tags: map[string]string{"1.10": "0x1", "b": "--- &a *a # !!str"}, Next: &server{Name: strings.Repeat("long ", 50) + "\n\u2028é\x00\ufeff🙂"}}
	text, err := typed.YAML[server]().Encode(config)
	if err != nil || !strings.Contains(text, "name: \"yes\"\n") {
		t.Errorf("YAML is\n%s%v", text, err)
	}
	if back, err := typed.StrictYAML[server]().Decode(text); err != nil || !reflect.DeepEqual(back, config) {
		t.Errorf("YAML\n%scame back as %#v, %v", text, back, err)
	}
	if text, err := typed.YAML[any]().Encode(json.Number("18446744073709551615")); text != "18446744073709551615\n" || err != nil {
		t.Errorf("a large number is written as %q, %v", text, err)
	}
	store := mapstoretest.NewStore(t, nil)
	for _, f := range []float64{math.NaN(), math.Inf(-1)} {
		if err := typed.Bind(store, "f", typed.Float[float64](), 0).Set(t.Context(), f); err == nil {
			t.Errorf("%v was written", f)
		}
	}
	if typed.Text[onlyReads]().Encode != nil || typed.Text[big.Int]().Encode == nil {
		t.Error("whether a Text can be encoded is not known")
	}
}

type onlyReads struct{}

func (*onlyReads) UnmarshalText([]byte) error { return nil }

func roundTrip[T comparable](t *testing.T, codec typed.Codec[T], rows map[T]string) {
	t.Helper()
	for value, want := range rows {
		text, err := codec.Encode(value)
		if text != want || err != nil {
			t.Errorf("%v is written as %q, %v, want %q", value, text, err, want)
		}
		if back, err := codec.Decode(text); back != value || err != nil {
			t.Errorf("%q is read as %v, %v, want %v", text, back, err, value)
		}
	}
}

func TestACodecThatCannotWorkIsFoundAtOnce(t *testing.T) {
	store := mapstoretest.NewStore(t, nil)
	cannotDecode := typed.Codec[int]{Encode: typed.Int[int]().Encode}
	for what, misuse := range map[string]func(){
		"Validate without a check":  func() { typed.Int[int]().Validate(nil) },
		"Validate without a Decode": func() { cannotDecode.Validate(func(int) error { return nil }) },
		"Bind without a Decode":     func() { typed.Bind(store, "n", cannotDecode, 0) },
	} {
		func() {
			defer func() {
				if text, ok := recover().(string); !ok || !strings.HasPrefix(text, "typed: ") {
					t.Errorf("%s: panics with %q", what, text)
				}
			}()
			misuse()
		}()
	}
}
