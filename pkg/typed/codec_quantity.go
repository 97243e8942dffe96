package typed

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
)

// Quantity is the codec of Kubernetes quantities, such as 500m or 2Gi. It writes their
// canonical form. Before you compute with a quantity larger than an int64, make a
// DeepCopy: plain copies share its digits.
func Quantity() Codec[resource.Quantity] {
	return scalar("quantity", "not a quantity",
		func(text string) (resource.Quantity, error) {
			if !isBounded(text) {
				return resource.Quantity{}, errUnbounded
			}
			return resource.ParseQuantity(text)
		},
		func(value resource.Quantity) string { return value.String() })
}

// isBounded reports whether a quantity is short enough to parse and compute with in a
// moment. Quantities are exact numbers, so 1e-99999999 has a hundred million digits.
func isBounded(quantity string) bool {
	_, exponent, _ := strings.Cut(strings.ToLower(quantity), "e")
	return len(quantity) <= 64 && len(strings.TrimLeft(exponent, "+-")) <= 2
}

var errUnbounded = Reject("a quantity of more than 64 characters, or an exponent of more than two digits")

// areBounded reports whether isBounded holds for all that might be a quantity in a
// JSON text. What is not JSON is left to the decoder.
func areBounded(text []byte) bool {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	for {
		token, err := decoder.Token()
		if err != nil {
			return true
		}
		number, _ := token.(string)
		if n, ok := token.(json.Number); ok {
			number = n.String()
		}
		if looksLikeNumber(number) && !isBounded(number) {
			return false
		}
	}
}

func looksLikeNumber(text string) bool {
	return text != "" && strings.Trim(text, "+-.0123456789eE \t\r\n") == ""
}

var quantity = reflect.TypeFor[resource.Quantity]()
