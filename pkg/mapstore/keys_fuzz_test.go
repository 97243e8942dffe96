package mapstore

import (
	"errors"
	"maps"
	"regexp"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"
)

// documentedKey is the rule as ErrInvalidKey states it, but for the dots.
var documentedKey = regexp.MustCompile(`\A[-_.a-zA-Z0-9]{1,253}\z`)

// Whichever way a key comes in, it is refused exactly if Kubernetes would refuse
// it, which is exactly if it breaks the documented rule; the error has a bound;
// and a refusal takes the whole transaction with it and leaves no trace.
func FuzzKeys(f *testing.F) {
	for _, key := range []string{
		"", ".", "..", "...", "..data", ".hidden", "a..b", "a.", "a", "-", "_", "A-Z_0.9",
		"bad key", "a/b", "a\n", "\na", "a\x00", "ä", "\xff", "%s%d", "ſ", "\u212a", // the last two fold to s and K
		strings.Repeat("k", 253), strings.Repeat("k", 254), strings.Repeat("ä", 127), strings.Repeat("\x00", 1<<16),
	} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		valid := len(validation.IsConfigMapKey(key)) == 0
		if documented := documentedKey.MatchString(key) && key != "." && !strings.HasPrefix(key, ".."); documented != valid {
			t.Errorf("%q: valid is %v for Kubernetes and %v as documented", key, valid, documented)
		}
		for name, write := range map[string]func(*Tx){
			"Set":    func(tx *Tx) { tx.Set(key, "v") },
			"Delete": func(tx *Tx) { tx.Delete(key) },
		} {
			d := newDraft(snapshotOf(map[string]string{"there": "1"}, nil))
			tx := d.Begin()
			tx.Set("before", "1")
			write(tx)
			tx.Set("after", "1")
			err := d.Add(tx)
			if valid != (err == nil) || !valid && !errors.Is(err, ErrInvalidKey) {
				t.Errorf("%s(%.300q): %v, and valid is %v", name, key, err, valid)
			}
			if err == nil {
				continue
			}
			if len(err.Error()) > 4096 {
				t.Errorf("%s: an error of %d bytes", name, len(err.Error()))
			}
			if d.differs() || !maps.Equal(d.data, d.base.data) || d.size != d.base.size() {
				t.Errorf("%s: the refused transaction left %v", name, d.data)
			}
		}
	})
}
