package scale

import "time"

// mapName is the map that all watch. Each series creates it anew.
const mapName = "scale"

// A Series is one map under more and more watchers.
type Series struct {
	Keys, ValueBytes int  // of the map
	Shared           bool // a hundred watchers on one connection, not a connection each
	JSON             bool // not protobuf
	Check            bool // not used for the model but to hold it against
	Watchers         []int
	Alone            int           // how often the map is changed before there are watchers
	Hold             time.Duration // how long all watch while nobody writes, in the end
}

// Bytes is the size of the map's values.
func (s Series) Bytes() int { return s.Keys * s.ValueBytes }

func (s Series) accept() string {
	if s.JSON {
		return asJSON
	}
	return protobuf
}

// A plan is what to measure.
type plan struct {
	series    []Series
	restart   bool          // the API server, before each series
	window    time.Duration // of idling
	writing   time.Duration // how long the limits of writing are measured
	traffic   int           // bytes of values that the changes of one row may send
	most      int           // changes in a row
	least     int
	reconnect int // how many watchers reconnect, when there are as many
}

func full() plan {
	all := []int{1, 10, 30, 100, 300, 1000}
	return plan{
		series: []Series{
			{Keys: 10, ValueBytes: 100, Alone: 200, Watchers: all, Hold: time.Minute},
			{Keys: 32, ValueBytes: 1000, Alone: 100, Watchers: all},
			{Keys: 1000, ValueBytes: 1000, Alone: 40, Watchers: all},
			{Keys: 200, ValueBytes: 1000, Alone: 90, Watchers: []int{30, 300}, Check: true},
			{Keys: 10, ValueBytes: 100, Shared: true, Watchers: all},
			{Keys: 32, ValueBytes: 1000, Shared: true, Watchers: all},
			{Keys: 1000, ValueBytes: 1000, Shared: true, Watchers: all[:4]},
			{Keys: 10, ValueBytes: 100, JSON: true, Watchers: []int{100}},
			{Keys: 32, ValueBytes: 1000, JSON: true, Watchers: []int{100}},
			{Keys: 1000, ValueBytes: 1000, JSON: true, Watchers: []int{100}},
		},
		restart: true, window: time.Second, writing: 3 * time.Second,
		traffic: 500_000_000, most: 100, least: 2, reconnect: 100,
	}
}

// quick has a row of every kind, too short to mean much.
func quick() plan {
	few := []int{1, 2, 4, 8}
	return plan{
		series: []Series{
			{Keys: 10, ValueBytes: 100, Alone: 20, Watchers: few, Hold: 100 * time.Millisecond},
			{Keys: 32, ValueBytes: 1000, Alone: 10, Watchers: few},
			{Keys: 1000, ValueBytes: 1000, Alone: 3, Watchers: few},
			{Keys: 200, ValueBytes: 1000, Alone: 10, Watchers: []int{4}, Check: true},
			{Keys: 10, ValueBytes: 100, Shared: true, Watchers: few},
			{Keys: 10, ValueBytes: 100, JSON: true, Watchers: []int{4}},
			{Keys: 1000, ValueBytes: 1000, JSON: true, Watchers: []int{4}},
		},
		window: 50 * time.Millisecond, writing: 200 * time.Millisecond,
		traffic: 1_000_000_000, most: 3, least: 2, reconnect: 4,
	}
}

// changes is how often to change a map: less where each change is much work.
func (p plan) changes(s Series, watchers int) int {
	n := min(p.traffic/(s.Bytes()*watchers), 40_000_000/s.Bytes(), 50_000/watchers, p.most)
	return max(n, p.least)
}
