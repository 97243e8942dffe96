package checker

import (
	"fmt"
	"strconv"
	"strings"
)

// MarkPrefix is how the keys begin that the checker writes.
const MarkPrefix = "checker."

// A mark names one run of one transaction.
type mark struct {
	nonce            string
	transaction, run int
}

func (m mark) String() string { return fmt.Sprintf("%s.%d.%d", m.nonce, m.transaction, m.run) }

// marks returns the marks in a map, by their keys.
func (c contents) marks() map[string]mark {
	marks := make(map[string]mark)
	for line := range c.lines() {
		key, value, _ := strings.Cut(line, "=")
		if !strings.HasPrefix(key, MarkPrefix) {
			continue
		}
		parts := strings.Split(strings.Trim(value, "\"\n"), ".")
		if len(parts) != 3 {
			continue
		}
		transaction, err1 := strconv.Atoi(parts[1])
		run, err2 := strconv.Atoi(parts[2])
		if err1 == nil && err2 == nil {
			marks[key] = mark{parts[0], transaction, run}
		}
	}
	return marks
}
