//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package kube

import (
	"errors"
	"os"
	"os/exec"
)

// Importers compile everywhere; Start and Build return an error here.
const supported = false

func detach(*exec.Cmd) {}

func pause(*os.Process) error { return errors.ErrUnsupported }

func terminate(*os.Process) error { return errors.ErrUnsupported }

func resume(*os.Process) error { return errors.ErrUnsupported }

func tryLock(*os.File) (bool, error) { return false, errors.ErrUnsupported }
