package ledger

import (
	"crypto/rand"
	"slices"
	"strings"
)

const (
	// Annotation is the name of the annotation that is the ledger. It holds the ids of
	// the last commits, newest first, separated by spaces.
	Annotation = "mapstore/commits"

	// Length is how many ids a ledger keeps.
	Length = 32

	idLength     = 12 // of 5 bits each
	authorLength = 4  // how much of an id names its author
)

// generations are the letters of an id for the generations from 0 to maxGeneration.
const generations = "abcdefghijklmnop"

// An Author is one store that makes commits. Each of its ids begins with its name.
type Author string

// NewAuthor returns an author with a random name.
func NewAuthor() Author { return Author(rand.Text()[:authorLength]) }

// newID returns an id for one of the author's commits. The two characters after the
// author's name are for [Turns]: whether the author writes all the time, and for how many
// generations the commit has waited.
func (a Author) newID(steady bool, generation int) string {
	sign := "-"
	if steady {
		sign = "+"
	}
	return string(a) + sign + generations[generation:generation+1] + rand.Text()[:idLength-authorLength-2]
}

func authorOf(id string) Author { return Author(id[:min(len(id), authorLength)]) }

// isSteady reports whether the id's author writes all the time.
func isSteady(id string) bool { return len(id) == idLength && id[authorLength] == '+' }

// generationIn returns for how many generations the id's commit has waited.
func generationIn(id string) int {
	if len(id) != idLength || !strings.ContainsRune("+-", rune(id[authorLength])) {
		return 0
	}
	return max(strings.IndexByte(generations, id[authorLength+1]), 0)
}

// IDs are the ids of the last commits, newest first.
type IDs []string

// Parse reads the annotation. Anything that others have written into it counts as ids
// that nobody looks for.
func Parse(annotation string) IDs {
	ids := strings.Fields(annotation)
	return ids[:min(len(ids), Length)]
}

// MinRoom is how many bytes the annotation of a commit takes at least.
const MinRoom = idLength

// With returns the annotation of a commit that follows those in ids. It keeps as many ids
// as room, at least [MinRoom] bytes, allows. Fewer ids tell for a shorter time, and nothing
// else: as the newest come first, an id that is still there is behind all that are newer.
func (ids IDs) With(id string, room int) string {
	if i := slices.IndexFunc(ids, func(old string) bool { return len(old) > idLength }); i >= 0 {
		ids = ids[:i] // no store wrote this: do not let it enlarge the object
	}
	return strings.Join(append([]string{id}, ids[:max(0, min(len(ids), Length-1, (room-len(id))/(idLength+1)))]...), " ")
}

// IsPutBack reports whether somebody has put ids, an older ledger, in place of now: its
// newest id is older than now's. Stores put theirs in front.
func (ids IDs) IsPutBack(now IDs) bool {
	return len(ids) > 0 && slices.Index(now, ids[0]) > 0 && !slices.Contains(ids, now[0])
}

// Head returns the newest id; "" if there is none.
func (ids IDs) Head() string {
	if len(ids) == 0 {
		return ""
	}
	return ids[0]
}
