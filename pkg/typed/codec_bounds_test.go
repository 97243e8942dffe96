package typed_test

import (
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
