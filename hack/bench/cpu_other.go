//go:build !unix

package main

import "time"

var processStart = time.Now()

// cpuTime returns the clock's time, as a stand-in.
func cpuTime() time.Duration { return time.Since(processStart) }
