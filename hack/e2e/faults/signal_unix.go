//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package main

import "syscall"

// Signals that stop a process and let it go on.
const (
	sigStop = syscall.SIGSTOP
	sigCont = syscall.SIGCONT
)
