package kube

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

const pidSuffix = ".pid"

// watchOver is the guard's script. It makes the run's folder, and takes it away again
// when its input ends, which is when this program has closed the pipe or is dead.
// Renaming the folder comes before reading the pid files: see launch.
const watchOver = `
trap '' HUP INT TERM PIPE
dir=$(mktemp -d "$(pwd)/mapstore-kube-XXXXXXXX") || exit
echo "$dir"
cat >/dev/null
mv "$dir" "$dir.gone"
for file in "$dir.gone"/*` + pidSuffix + `; do
	test -e "$file" && kill -9 "$(cat "$file")"
done 2>/dev/null
for attempt in 1 2 3 4 5; do # a dying process may still be adding a file
	rm -rf "$dir.gone" && exit
	sleep 1
done
exit 1
`

// launch is the script ("$0" is a pid file, "$@" a command) by which every child is
// started. Once the guard has renamed the folder, either it finds the complete pid
// file there, or this test fails and the command never runs.
const launch = `echo $$ >"$0"; test -e "$0"; exec "$@"`

// guard is a process that outlives this one, for as long as it takes to kill the
// children and to remove their folder. A handler in this program could not do it:
// SIGKILL runs none.
type guard struct {
	dir   string // the run's folder
	cmd   *exec.Cmd
	input io.Closer // closed on exec, so that no other process holds it open
}

func startGuard() (*guard, error) {
	cmd := exec.Command("/bin/sh", "-c", watchOver, "mapstore-kube-guard")
	cmd.Dir = os.TempDir()
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	detach(cmd)
	input, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	g := &guard{cmd: cmd, input: input}
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		_ = g.release()
		return nil, fmt.Errorf("no folder in %s: %w", os.TempDir(), err)
	}
	g.dir = strings.TrimSuffix(line, "\n")
	return g, nil
}

// release ends the guard, which removes the folder, and waits for both.
func (g *guard) release() error {
	_ = g.input.Close()
	if err := g.cmd.Wait(); err != nil {
		return fmt.Errorf("removing %s: %w", g.dir, err)
	}
	return nil
}
