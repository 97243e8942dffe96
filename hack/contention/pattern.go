package contention

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// A Pattern is who writes, and when.
type Pattern struct {
	Name   string
	Groups []Group
	// For is how long writers go on that write again and again. The pattern ends when
	// those that write a number of times are done.
	For time.Duration
	// Absent says that the map does not exist at first.
	Absent bool
	// Slows is by how much the server becomes slower when half of For is over; 0: it does not.
	Slows float64
}

// A Group is stores that do the same.
type Group struct {
	Name    string
	Stores  int
	Writers int // in each store; 0 means 1
	// Writes is how often each writer writes; 0: until the pattern's time is over.
	Writes int
	// Every is the time from the beginning of one write to that of the next, the first
	// at a random moment in it. 0: at once after the one before.
	Every time.Duration
	// Pause is the time from the end of one write to the beginning of the next.
	Pause time.Duration
	// InTurn says that a store begins when the one before it is done.
	InTurn bool
	// Function is how long a transaction's function takes.
	Function time.Duration
	// Away is how far the stores are from the server, one way; 0: the network's OneWay.
	Away time.Duration
	// Lives is how long a store lives, on average; 0: to the end. When one dies, another
	// begins.
	Lives time.Duration
	// Plain says that these are not stores: they use client-go's RetryOnConflict, without
	// end, whatever the others use.
	Plain bool
}

func always(stores, writers int) Group {
	return Group{Name: "always", Stores: stores, Writers: writers}
}

func every(stores int, period time.Duration) Group {
	return Group{Name: fmt.Sprintf("every %v", period), Stores: stores, Every: period}
}

// Rollout is stores that each write once, at the same moment.
func Rollout(stores int) Pattern {
	return Pattern{Name: fmt.Sprintf("a rollout: %d stores write once, at the same moment", stores), Groups: []Group{{Stores: stores, Writes: 1}}}
}

// Sequence is stores that write once each, never at the same time.
func Sequence(stores int) Pattern {
	return Pattern{Name: fmt.Sprintf("%d stores write one after the other, once each", stores), Groups: []Group{{Stores: stores, Writes: 1, InTurn: true}}}
}

// Heartbeats is stores that each write a key of their own now and then.
func Heartbeats(stores int, period time.Duration) Pattern {
	return Pattern{
		Name: fmt.Sprintf("heartbeats: %d stores, each every %v", stores, period), For: max(time.Minute, 6*period),
		Groups: []Group{every(stores, period)},
	}
}

// Always is stores that write all the time.
func Always(stores, writers int) Pattern {
	return Pattern{Name: fmt.Sprintf("all the time: %d stores × %d writers", stores, writers), For: 10 * time.Second, Groups: []Group{always(stores, writers)}}
}

// Far is one store far away, beside others that write all the time.
func Far(away time.Duration) Pattern {
	return Pattern{
		Name: fmt.Sprintf("7 near stores write all the time, one is %v away", away), For: 20 * time.Second,
		Groups: []Group{always(7, 1), {Name: "far", Stores: 1, Away: away}},
	}
}

// Slow is one store with a slow function, beside others that write every 10 ms.
func Slow(function time.Duration) Pattern {
	return Pattern{
		Name: fmt.Sprintf("3 stores write every 10 ms, the function of a fourth takes %v", function), For: 20 * time.Second,
		Groups: []Group{{Name: "quick", Stores: 3, Every: 10 * time.Millisecond}, {Name: "slow", Stores: 1, Function: function}},
	}
}

// Mixed is some stores that write all the time, and many that write now and then.
func Mixed(busy, many int, period time.Duration) Pattern {
	return Pattern{
		Name: fmt.Sprintf("%d write all the time, %d every %v", busy, many, period), For: 20 * time.Second,
		Groups: []Group{always(busy, 1), {Name: "now and then", Stores: many, Every: period}},
	}
}

// Creation is a rollout of stores for a map that does not exist.
func Creation(stores int) Pattern {
	p := Rollout(stores)
	p.Name, p.Absent = fmt.Sprintf("the map does not exist yet, %d stores write at once", stores), true
	return p
}

// Patterns are all that the table shows.
func Patterns() []Pattern {
	dying := Always(8, 1)
	dying.Name, dying.Groups[0].Lives = "8 stores write all the time, each lives for a second", time.Second
	slowing := Always(16, 1)
	slowing.Name, slowing.Slows = "16 stores write all the time, then the server becomes ten times slower", 10
	plain := Always(6, 1)
	plain.Name, plain.Groups = "6 stores and 2 plain clients write all the time", append(plain.Groups, Group{Name: "plain", Stores: 2, Plain: true})
	return []Pattern{
		Sequence(40),
		Heartbeats(50, 10*time.Second), Heartbeats(50, 2*time.Second),
		Rollout(8), Rollout(16), Rollout(32), Rollout(64), Rollout(128), Rollout(300),
		Creation(24),
		Always(1, 1), Always(8, 1), Always(8, 8), Always(32, 1), Always(100, 1),
		Far(10 * time.Millisecond), Far(50 * time.Millisecond), Far(100 * time.Millisecond),
		Slow(20 * time.Millisecond), Slow(100 * time.Millisecond), Slow(500 * time.Millisecond),
		Mixed(4, 40, 6*time.Second),
		dying, slowing, plain,
	}
}

// phase returns a random moment of the period.
func phase(random *rand.Rand, period time.Duration) time.Duration {
	if period <= 0 {
		return 0
	}
	return time.Duration(random.Int64N(int64(period)))
}
