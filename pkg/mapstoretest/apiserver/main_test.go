package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// serve runs the command until end is called, and returns its URL.
func serve(t *testing.T, opts options) (url string, end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, opts, writer) }()
	lines := bufio.NewReader(reader)
	first, err := lines.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	go io.Copy(io.Discard, lines) //nolint:errcheck // it ends with the pipe
	_, url, _ = strings.Cut(strings.TrimSpace(first), " is ready at ")
	return url, func() {
		t.Helper()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		_ = writer.Close()
	}
}

// What a store has been told survives the server, whose last words are cut short.
func TestWhatWasAcknowledgedOutlivesAServerWithAFile(t *testing.T) {
	dir := t.TempDir()
	opts := options{address: "127.0.0.1:0", kubeconfig: filepath.Join(dir, "kubeconfig"), data: filepath.Join(dir, "data")}
	url, end := serve(t, opts)
	config, err := clientcmd.BuildConfigFromFlags("", opts.kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config.QPS = -1
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	store, err := mapstore.New(client, "default", "settings", mapstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = store.Start(context.Background()) }()
	defer func() { store.Close(); <-ended }()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, value := range []string{"1", "2\xff"} {
		if err := store.Set(ctx, "k", value); err != nil {
			t.Fatal(err)
		}
	}
	before := store.Snapshot()
	end()

	data, err := os.OpenFile(opts.data, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := data.WriteString(`{"Kind":"MODIFIED","Object":{"metadata":{"na`); err != nil {
		t.Fatal(err)
	}
	data.Close()
	opts.address = strings.TrimPrefix(url, "http://")
	for range 2 { // the second time after what the first has written behind the words that were cut short
		_, end = serve(t, opts)
		if err := store.Set(ctx, "l", time.Now().String()); err != nil {
			t.Fatal(err)
		}
		end()
	}
	now := store.Snapshot()
	if k, _ := now.Get("k"); k != "2\xff" || now.UID() != before.UID() || store.Stats().Resets > 0 {
		t.Errorf("k = %q, %d resets", k, store.Stats().Resets)
	}
}

func TestWithoutAFileItStartsFromNothingAndLeavesNothing(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	_, end := serve(t, options{address: "127.0.0.1:0"})
	paths, err := filepath.Glob(os.Getenv("TMPDIR") + "/*/kubeconfig")
	if err != nil || len(paths) != 1 {
		t.Errorf("kubeconfigs: %v, %v", paths, err)
	}
	end()
	if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if err := run(t.Context(), options{address: "nonsense"}, io.Discard); err == nil {
		t.Error("it serves at nonsense")
	}
}

// As kubectl does before anything else.
func TestAClientCanDiscoverWhatIsServed(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	url, end := serve(t, options{address: "127.0.0.1:0"})
	defer end()
	config, err := clientcmd.BuildConfigFromFlags(url, "")
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	_, lists, err := client.Discovery().ServerGroupsAndResources()
	if err != nil || len(lists) != 1 || len(lists[0].APIResources) != 1 || lists[0].APIResources[0].Kind != "ConfigMap" {
		t.Errorf("%v, %v", lists, err)
	}
	response, err := http.Get(url + "/api/v1/pods")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusNotFound {
		t.Errorf("pods: %s", response.Status)
	}
}
