package rig

import "runtime"

// LiveHeap returns the bytes on the heap that are in use. What finalizers and pools
// hold is gone after the second collection, not after the first.
func LiveHeap() float64 {
	for range 3 {
		runtime.GC()
	}
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return float64(stats.HeapAlloc)
}
