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
		bad("", "too soon"), bad(`{"name":"a"`, "too soon"), bad(`{"name":"a"} x`, "after"), bad(`{} {}`, "after"), bad("null", "null"), bad(`{"port":-1}`, "field port, at byte 10, does not fit into the type uint16"),
		bad(`{"next":{"port":"x"}}`, "next.port"), bad("{'a':1}", "at byte 2"), bad("[]", "does not fit into the type typed_test.server"), bad("\ufeff{}", "at byte 1"))
	check(t, "StrictJSON", typed.StrictJSON[server](), bad(`{"nam":"a"}`, "not known"), good(`{"port":1}`, server{Port: 1}))
	check(t, "JSON[*T]", typed.JSON[*server](), bad("null", "null"), good("{}", &server{}))
	check(t, "JSON[map]", typed.JSON[map[string]int](), good("null", map[string]int(nil)))

	check(t, "YAML", typed.YAML[server](), good("name: a\nport: 80\ntags: {x: 'y'}\nnew: 1\n", config), good(`{"name":"a","port":80,"tags":{"x":"y"}}`, config),
		good("# one\n---\nname: a\nport: 80\ntags: &t\n  x: 'y'\n", config), good("base: &b {name: a}\n<<: *b\nport: 1\n...\n", server{Name: "a", Port: 1}),
		good("name: |\n  a\n  --- b\nport: 1", server{Name: "a\n--- b\n", Port: 1}),
		bad("", "null"), bad("# nothing\n", "null"), bad("~", "null"), bad("name: a\n---\nname: b\n", "more than one"), bad("name: a\r---\rname: b\r", "more than one"), bad("name: a\n...\nname: b", "more than one"),
		bad("name: a\nname: b\n", "line 2"), bad("name: [\n", "line"), bad("name: 1.10\n", "field name"), bad("port: x", "field port"), bad("name: *nobody", "not YAML"), bad("\xff\xfea\x00", "UTF-8"), bad("x: .inf", "not YAML"), bad("\tname: a", "not YAML"))
	check(t, "StrictYAML", typed.StrictYAML[server](), bad("nam: a", "not known"), good("port: 1", server{Port: 1}))
	check(t, "YAML[any]", typed.YAML[any](), good("", nil), good("[1, yes, '2']", []any{1.0, true, "2"}))
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
