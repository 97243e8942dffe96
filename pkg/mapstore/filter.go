package mapstore

import "strings"

// A Filter reports whether a subscriber wants to hear of a key. It must give
// the same answer for the same key every time.
type Filter func(key string) bool

// Keys lets the named keys through.
func Keys(keys ...string) Filter {
	wanted := make(map[string]struct{}, len(keys))
	for _, key := range keys {
		wanted[key] = struct{}{}
	}
	return func(key string) bool {
		_, ok := wanted[key]
		return ok
	}
}

// Prefix lets the keys through that begin with prefix.
func Prefix(prefix string) Filter {
	return func(key string) bool { return strings.HasPrefix(key, prefix) }
}

// passing returns the keys that one of the filters lets through; without
// filters, all of them.
func passing(keys []string, filters []Filter) []string {
	if len(filters) == 0 {
		return keys
	}
	var wanted []string
	for _, key := range keys {
		for _, filter := range filters {
			if filter(key) {
				wanted = append(wanted, key)
				break
			}
		}
	}
	return wanted
}
