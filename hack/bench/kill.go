package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// asWriter says to this program that it is one that will be killed. Its value is the kind,
// the namespace and the file.
const asWriter = "MAPSTORE_BENCH_WRITER"

// A killedKind is a way to keep the last known state in a file.
type killedKind struct {
	name string
	// write follows the map and keeps it in the file, until it is killed.
	write func(ctx context.Context, namespace, file string) error
	// isReadable reports whether a program could start from the file.
	isReadable func(ctx context.Context, b *bench, file string) bool
}

var killedKinds = [2]killedKind{{
	name: "mapstore",
	write: func(ctx context.Context, namespace, file string) error {
		store, err := mapstore.Open(ctx, "backup-large", mapstore.Options{Namespace: namespace, Backup: file})
		if err != nil {
			return err
		}
		defer store.Close()
		fmt.Println("begun")
		<-ctx.Done()
		return nil
	},
	isReadable: func(ctx context.Context, b *bench, file string) bool {
		config := b.Plane.Config()
		config.Host = "https://127.0.0.1:1" // nobody listens there
		client, err := kubernetes.NewForConfig(config)
		if err != nil {
			return false
		}
		store, err := mapstore.New(client, b.Namespace, "backup-large", mapstore.Options{Backup: file})
		if err != nil {
			return false
		}
		defer store.Close()
		go store.Start(context.WithoutCancel(ctx)) //nolint:errcheck // it can only fail if the store was closed before
		soon, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		now, err := store.WaitUntil(soon, func(*mapstore.Snapshot) bool { return true })
		return err == nil && now.Len() == backupKeys
	},
}, {
	name: "in-place",
	write: func(ctx context.Context, namespace, file string) error {
		store, err := mapstore.Open(ctx, "backup-large", mapstore.Options{Namespace: namespace})
		if err != nil {
			return err
		}
		defer store.Close()
		fmt.Println("begun")
		for change := range store.Changes(ctx) {
			content, err := json.Marshal(maps.Collect(change.New.All()))
			if err == nil {
				err = os.WriteFile(file, content, 0o600)
			}
			if err != nil {
				return err
			}
		}
		return nil
	},
	isReadable: func(_ context.Context, _ *bench, file string) bool {
		content, err := os.ReadFile(file)
		var values map[string]string
		return err == nil && json.Unmarshal(content, &values) == nil && len(values) == backupKeys
	},
}}

// beWriter reports whether this program is one that will be killed, and was it.
func beWriter() bool {
	kind, rest, is := strings.Cut(os.Getenv(asWriter), "=")
	namespace, file, _ := strings.Cut(rest, "=")
	for _, k := range killedKinds {
		if is && k.name == kind {
			if err := k.write(context.Background(), namespace, file); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		}
	}
	return is
}

// kill kills a writer, that many times, at a random moment of its first write, and returns
// how often it left a file that cannot be read.
func (b *bench) kill(ctx context.Context, kind killedKind, file string, times int) (unreadable int, err error) {
	for i := range times {
		writer := exec.CommandContext(ctx, os.Args[0])
		writer.Env = append(os.Environ(), asWriter+"="+kind.name+"="+b.Namespace+"="+file, "MAPSTORE_CLUSTER_CONFIG_PATH="+b.Plane.Kubeconfig())
		writer.Stderr = os.Stderr
		output, err := writer.StdoutPipe()
		if err == nil {
			err = writer.Start()
		}
		if err == nil {
			_, err = bufio.NewReader(output).ReadString('\n')
		}
		if err != nil {
			return 0, fmt.Errorf("the writer of %s: %w", kind.name, err)
		}
		for i == 0 { // so that there is a file that a kill can spoil
			if ctx.Err() != nil {
				return 0, ctx.Err()
			}
			if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) && kind.isReadable(ctx, b, file) {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(rand.N(20 * time.Millisecond)) // the moment of the kill is what is random here
		if err := writer.Process.Kill(); err != nil {
			return 0, err
		}
		_ = writer.Wait() // it says that it was killed
		if !kind.isReadable(ctx, b, file) {
			unreadable++
		}
	}
	return unreadable, nil
}
