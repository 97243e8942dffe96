//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package main

import "syscall"

// There is no control plane here to need them for.
const (
	sigStop = syscall.SIGTERM
	sigCont = syscall.SIGTERM
)
