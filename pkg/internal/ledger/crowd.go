package ledger

import (
	"math/bits"
	"slices"
)

// A crowd is what the ledger has shown of those who commit.
type crowd struct {
	head       string   // the newest id that was looked at
	steady     bool     // it is of a store that writes all the time
	places     []Author // of stores that write all the time, in the order of their turns
	generation int      // of recent commits: the median
}

const (
	// maxPlaces is how many stores that write all the time can have places.
	maxPlaces = 1 << 10

	// recent is how many commits count as recent.
	recent = 9

	// maxGeneration is the highest generation that an id can tell.
	maxGeneration = 15
)

// generationOf returns the generation of a write that has seen so many commits of others
// while it waited: the number's binary logarithm.
func generationOf(commits int) int { return min(bits.Len(uint(commits)), maxGeneration) }

// look learns from the ids that are new. It returns how many there are, and how many of
// them are of stores that write all the time.
func (c *crowd) look(ids IDs) (commits, steady int) {
	if ids.Head() == c.head {
		return 0, 0
	}
	if commits = slices.Index(ids, c.head); commits < 0 {
		commits = len(ids)
	}
	c.head = ids.Head()
	for _, id := range slices.Backward(ids[:commits]) {
		author := authorOf(id)
		c.places = slices.Delete(c.places, 0, c.place(author)+1) // those before it had nothing to write
		if c.steady = isSteady(id); c.steady {
			steady++
		}
		if c.steady && len(c.places) < maxPlaces {
			c.places = append(c.places, author)
		}
	}
	var generations []int
	for _, id := range ids[:min(len(ids), recent)] {
		generations = append(generations, generationIn(id))
	}
	c.generation = 0
	if len(generations) > 0 {
		slices.Sort(generations)
		c.generation = generations[len(generations)/2]
	}
	return commits, steady
}

// place returns how many stores have their turns before author; -1 if it has none.
func (c *crowd) place(author Author) int { return slices.Index(c.places, author) }
