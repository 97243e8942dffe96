package checker

import (
	"cmp"
	"slices"
	"sort"
)

// A frontier is how far revisions had come by a given time.
type frontier struct {
	points []point
	sorted bool
}

type point struct {
	at, revision int64
	what         string
}

func (f *frontier) add(at, revision int64, what string) {
	f.points = append(f.points, point{at, revision, what})
	f.sorted = false
}

// before returns the newest revision that had been reached before at.
func (f *frontier) before(at int64) point {
	if !f.sorted {
		f.sort()
	}
	i := sort.Search(len(f.points), func(i int) bool { return f.points[i].at >= at })
	if i == 0 {
		return point{}
	}
	return f.points[i-1]
}

// sort puts the points in the order of time, each with the newest revision so far.
func (f *frontier) sort() {
	slices.SortFunc(f.points, func(a, b point) int { return cmp.Compare(a.at, b.at) })
	for i := range f.points {
		if i > 0 && f.points[i].revision < f.points[i-1].revision {
			f.points[i].revision, f.points[i].what = f.points[i-1].revision, f.points[i-1].what
		}
	}
	f.sorted = true
}

// of returns the frontier under key, which it makes if there is none.
func of(frontiers map[string]*frontier, key string) *frontier {
	f := frontiers[key]
	if f == nil {
		f = &frontier{}
		frontiers[key] = f
	}
	return f
}
