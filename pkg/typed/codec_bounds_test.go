package typed_test

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/unrolled/mapstore/v2/pkg/typed"
)

// A few bytes must not hold a codec, whatever holds the quantity.
func TestQuantitiesInDocumentsAreBounded(t *testing.T) {
	type limits struct {
		Name string
		Next *limits
		Each map[string][]resource.Quantity
	}
	for _, text := range []string{
		`{"Each":{"cpu":["1e-99999999"]}}`, `{"Each":{"cpu":["1e99999999"]}}`, `{"Each":{"cpu":[" 1e-99999999"]}}`,
		`{"Next":{"Next":{"Each":{"cpu":["1E+999999"]}}}}`, `{"Each":{"cpu":["` + "0.0000000000000000000000000000000000000000000000000000000000000000001" + `"]}}`,
	} {
		for name, codec := range map[string]typed.Codec[limits]{"JSON": typed.JSON[limits](), "YAML": typed.YAML[limits](), "strict": typed.StrictYAML[limits]()} {
			began := time.Now()
			if _, err := codec.Decode(text); err == nil || time.Since(began) > 10*time.Second {
				t.Errorf("%s, %s: %v after %v", name, text, err, time.Since(began))
			}
		}
	}
	text := `{"Name":"1e400 is a name","Each":{"cpu":["500m","2Gi",3,"1e3"]}}`
	if got, err := typed.JSON[limits]().Decode(text); err != nil || len(got.Each["cpu"]) != 4 {
		t.Errorf("honest quantities: %v, %v", got, err)
	}
}

// What only looks like aliases, as in a program or a glob, is text.
func TestTextThatLooksLikeAliasesIsRead(t *testing.T) {
	program := ""
	for range 100 {
		program += "\tp := &node{next: *head, prev: *tail}\n\t*p, &q = *q, &p // *head &tail\n"
	}
	document := map[string]string{"program": program, "glob": "*.go"}
	codec := typed.YAML[map[string]string]()
	text, err := codec.Encode(document)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := codec.Decode(text); err != nil || got["program"] != program {
		t.Errorf("what the codec has written: %v", err)
	}
	bomb := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'z'; c++ {
		was := string(c - 1)
		bomb += string(c) + ": &" + string(c) + " [*" + was + ",*" + was + ",*" + was + ",*" + was + ",*" + was + "]\n"
	}
	if _, err := typed.YAML[any]().Decode(bomb + text); err == nil {
		t.Error("a bomb beside honest text is read")
	}
}

// A large text must not hold a codec for much longer than an honest one does, whatever is said of it.
func TestLargeHostileTextsAreRejectedInAMoment(t *testing.T) {
	const size, most = 1 << 18, 10 // times as long; what grows with the square takes dozens
	honest := "steps:\n" + strings.Repeat("- {}\n", size/5)
	decode := func(text string) (errs []error, took time.Duration) {
		began := time.Now()
		_, err1 := typed.StrictYAML[pool]().Decode(text)
		_, err2 := typed.StrictYAML[server]().Decode(text)
		_, err3 := typed.StrictJSON[pool]().Decode(text)
		_, err4 := typed.List(typed.Int[int]()).Decode(text)
		return []error{err1, err2, err3, err4}, time.Since(began)
	}
	for name, text := range map[string]string{
		"merges that are twice":    "a: &a {x: 1}\nb:\n" + strings.Repeat("  <<: *a\n", size/9),
		"the word for merges":      "a: &a {x: 1}\nb: {<<: *a, x: 2}\nc: " + strings.Repeat("merge000000", size/11),
		"a long key that is twice": strings.Repeat("a", size/2) + ": 1\n" + strings.Repeat("a", size/2) + ": 1\n",
		"a key in a long line":     "a: 1\n\"" + strings.Repeat("a", size) + "\": 1\na: 1\n",
		"one long line":            "a: [" + strings.Repeat("1,", size/2),
		"a misfit in a long list":  "steps: [" + strings.Repeat("{},", size/3) + "{Wait: 1}]",
		"a misfit that is deep":    strings.Repeat("{\"Next\":", 9000) + "{\"port\":\"x\"}" + strings.Repeat("}", 9000),
		"a field after many":       "steps:\n" + strings.Repeat("- {}\n", size/5) + "- {wiat: 1s}",
		"many elements":            strings.Repeat("1,", size/2) + "x",
	} {
		_, before := decode(honest)
		errs, took := decode(text)
		if t.Logf("%s: %v, an honest text %v; %.80v", name, took, before, errs); took > most*before {
			t.Errorf("%s: %v, and an honest text takes %v", name, took, before)
		}
		for _, err := range errs {
			if err == nil || len(err.Error()) > 200 {
				t.Errorf("%s: %.300v", name, err)
			}
		}
	}
}
