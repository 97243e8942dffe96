package mapstore

import "strings"

// A Filter reports whether a subscriber wants to hear of a key. It must give
// the same answer for the same key every time.
type Filter func(key string) bool

// Keys returns a filter that lets only these keys through.
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

// Prefix returns a filter that lets only keys that begin with prefix through.
func Prefix(prefix string) Filter {
	return func(key string) bool { return strings.HasPrefix(key, prefix) }
}

// passing returns the keys that at least one of the filters lets through; without
// filters, all keys.
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
