package backup

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var kills = flag.Int("kills", 300, "how often to kill a writer")

// writing says to this program which file it is to write, until it is killed.
const writing = "MAPSTORE_BACKUP_WRITES"

func writeForEver(f File) {
	f.Sweep()
	for i := 0; ; i++ {
		if err := f.Write(sized(i % 7)); err != nil {
			panic(err)
		}
		if i == 0 {
			fmt.Println("begun")
		}
	}
}

// sized returns one of seven states of very different sizes.
func sized(i int) *State {
	s := saved()
	s.Values["large"] = strings.Repeat("abcdefg"[i:i+1], 1<<(3*i))
	return s
}

// Each writer is killed at a random moment while it writes, and the next one goes on.
func TestAKilledWriterNeverLeavesAnUnreadableFile(t *testing.T) {
	f := file(t)
	rounds := *kills
	if testing.Short() {
		rounds = 50
	}
	for i := range rounds {
		writer := exec.CommandContext(context.Background(), os.Args[0])
		writer.Env = append(os.Environ(), writing+"="+string(f))
		writer.Stderr = os.Stderr
		output, err := writer.StdoutPipe()
		if err == nil {
			err = writer.Start()
		}
		if err == nil {
			_, err = bufio.NewReader(output).ReadString('\n')
		}
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(rand.N(5 * time.Millisecond)) // the moment of the kill is what is random here
		err = writer.Process.Kill()
		_ = writer.Wait()
		if err != nil {
			t.Fatal(err)
		}
		got, err := f.Read()
		if err != nil {
			t.Fatalf("after %d kills: %v", i+1, err)
		}
		if size := len(got.Values["large"]); size == 0 || strings.Trim(got.Values["large"], got.Values["large"][:1]) != "" {
			t.Fatalf("after %d kills: a state that nobody has written", i+1)
		}
	}
	if left := strings.Fields(names(t, filepath.Dir(string(f)))); len(left) > 2 {
		t.Errorf("%d kills have left %d files", rounds, len(left))
	}
}
