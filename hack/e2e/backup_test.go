package e2e

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/unrolled/mapstore/v2/hack/e2e/rig"
	"github.com/unrolled/mapstore/v2/hack/kube"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// asBackup says to this program that it is a client with a backup. Its value is the
// map's namespace and the file.
const asBackup = "MAPSTORE_E2E_BACKUP"

var kills = flag.Int("kills", 40, "how often to kill a client that has a backup")

// beClientWithBackup makes the map large and changes it for ever, a version at a time.
func beClientWithBackup(where string) error {
	namespace, file, _ := strings.Cut(where, "=")
	store, err := mapstore.Open(context.Background(), mapName, mapstore.Options{Namespace: namespace, Backup: file})
	if err != nil {
		return err
	}
	fmt.Println("open")
	for i := 0; ; i++ {
		if _, err := store.Update(context.Background(), func(tx *mapstore.Tx) error {
			for _, key := range []string{"a", "b"} {
				tx.Set(key, strings.Repeat(string(rune('a'+i%26)), 100_000))
			}
			return nil
		}); err != nil {
			return err
		}
	}
}

// nowhere is a configuration for an API server that is away.
func (s *site) nowhere() string {
	s.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.Fatal(err)
	}
	config := s.plane.Config()
	config.Host = "https://" + listener.Addr().String()
	listener.Close()
	path := filepath.Join(s.TempDir(), "kubeconfig")
	if err := kube.WriteKubeconfig(config, s.namespace, path); err != nil {
		s.Fatal(err)
	}
	return path
}

// restored starts a store on what a client has left, without the API server.
func (s *site) restored(file string) *mapstore.Store {
	s.Helper()
	config := s.plane.Config()
	config.Host = "https://127.0.0.1:1" // nobody listens there
	store := s.start(s.client(config, nil), mapstore.Options{Backup: file})
	if _, err := store.WaitUntil(s.within(), func(*mapstore.Snapshot) bool { return true }); err != nil {
		s.Fatal(err)
	}
	return store
}

// A version of both keys is one transaction's. What a kill leaves is such a version, and
// not an older one than the kill before has left.
func TestAKilledClientLeavesABackupThatTheNextOneStartsFrom(t *testing.T) {
	s := newSite(t)
	s.create(&corev1.ConfigMap{})
	clearEnvironment(t)
	file := filepath.Join(t.TempDir(), "settings")
	kubeconfig := s.kubeconfig(s.namespace)
	last := ""
	for i := range *kills {
		client := exec.CommandContext(s.within(), os.Args[0])
		client.Env = append(os.Environ(), asBackup+"="+s.namespace+"="+file, "MAPSTORE_CLUSTER_CONFIG_PATH="+kubeconfig)
		client.Stderr = os.Stderr
		output, err := client.StdoutPipe()
		if err == nil {
			err = client.Start()
		}
		if err == nil {
			_, err = bufio.NewReader(output).ReadString('\n')
		}
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 { // there is nothing yet that a kill could leave
			s.until("backed up", func() bool { _, err := os.Stat(file); return err == nil })
		}
		time.Sleep(rand.N(50 * time.Millisecond)) // the moment of the kill is what is random here
		if err := client.Process.Kill(); err != nil {
			t.Error(err)
		}
		_ = client.Wait()

		store := s.restored(file)
		now := store.Snapshot()
		a, _ := now.Get("a")
		b, _ := now.Get("b")
		if a != b || store.Status().Restored.IsZero() {
			t.Fatalf("kill %d: %v is restored, with %d and %d bytes", i+1, now, len(a), len(b))
		}
		if s.older(now.Revision(), last) {
			t.Fatalf("kill %d: from revision %s back to %s", i+1, last, now.Revision())
		}
		last = now.Revision()
		store.Close()
	}
	store := s.storeOf(s.client(plane.Config(), nil), mapstore.Options{Backup: file})
	if a, _ := store.Get("a"); a != s.get().Data["a"] || !store.Status().Restored.IsZero() {
		t.Errorf("after the outage: %+v", store.Status())
	}
}

// older reports whether revision a is older than b, which may be empty.
func (s *site) older(a, b string) bool {
	return len(a) < len(b) || len(a) == len(b) && a < b
}

func TestOpenStartsFromABackup(t *testing.T) {
	s := newSite(t)
	s.create(&corev1.ConfigMap{Data: map[string]string{"k": "v"}, BinaryData: map[string][]byte{"b": {0xff, 0}}})
	clearEnvironment(t)
	opts := mapstore.Options{Backup: filepath.Join(t.TempDir(), "settings")}
	t.Setenv("KUBECONFIG", s.kubeconfig(s.namespace))
	store, err := mapstore.Open(s.within(), mapName, opts)
	if err != nil {
		t.Fatal(err)
	}
	store.Close()

	t.Setenv("KUBECONFIG", s.nowhere())
	began := time.Now()
	store, err = mapstore.Open(s.within(), mapName, opts)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if took := time.Since(began); took < 2*time.Second || took > rig.Patience/2 {
		t.Errorf("Open returned after %v", took)
	}
	k, _ := store.Get("k")
	b, _ := store.Get("b")
	if status := store.Status(); k != "v" || b != "\xff\x00" || status.Restored.IsZero() || status.Err == nil || status.Synced {
		t.Errorf("k = %q, b = %q, %+v", k, b, status)
	}
}
