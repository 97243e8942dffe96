package typed

import (
	"encoding/json"
	"math"
	"regexp"

	"k8s.io/apimachinery/pkg/util/yaml"
)

// maxYAMLBytes is how large a document may become when its aliases are replaced by what
// they stand for. The decoder limits the number of nodes, but not their size: a long
// string and a hundred thousand aliases for it fit into one ConfigMap, and the decoder
// would make gigabytes of them.
const maxYAMLBytes = 16 << 20

// references matches what may be an anchor or an alias. A mark that follows a letter or
// digit is part of a word.
var references = regexp.MustCompile(`(?:^|[^0-9A-Za-z])([&*])([0-9A-Za-z_-]+)`)

// expandedYAML returns an upper bound for the length of a document with its aliases
// replaced. Each alias stands for a node that ends before it. So the text up to the end
// of the (i+1)th anchored node is at most 1+c times as long as the text up to the end of
// the ith, where c is the number of aliases between the two ends. The product of all 1+c
// is largest when all c are the same.
func expandedYAML(text string) float64 {
	anchors := make(map[string]int)
	aliases, anchored := 0, 0
	found := references.FindAllStringSubmatch(text, -1)
	for _, f := range found {
		if f[1] == "&" {
			anchors[f[2]]++
		}
	}
	used := make(map[string]bool)
	for _, f := range found {
		if n := anchors[f[2]]; f[1] == "*" && n > 0 {
			aliases++
			if !used[f[2]] {
				used[f[2]] = true
				anchored += n
			}
		}
	}
	if anchored == 0 {
		return float64(len(text))
	}
	return float64(len(text)) * math.Pow(1+float64(aliases)/float64(anchored), float64(anchored))
}

// hasAliases reports whether what looks like an alias is one. In a comment, a quoted
// string or a block it is just text: then the document can be read all the same when
// each of them names an anchor that does not exist.
func hasAliases(text string) bool {
	missing := "x" // longer than any anchor
	for _, f := range references.FindAllStringSubmatch(text, -1) {
		if f[1] == "&" && len(f[2]) >= len(missing) {
			missing = f[2] + "x"
		}
	}
	renamed := aliases.ReplaceAllString(text, "${1}*"+missing)
	var document json.RawMessage
	return yaml.Unmarshal([]byte(renamed), &document) != nil
}

var aliases = regexp.MustCompile(`(^|[^0-9A-Za-z])\*[0-9A-Za-z_-]+`)
