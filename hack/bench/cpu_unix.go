//go:build unix

package main

import (
	"syscall"
	"time"
)

// cpuTime returns how long this process has been on a processor. Unlike the
// clock it does not count the time of others.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
