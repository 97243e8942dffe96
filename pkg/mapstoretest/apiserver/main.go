// Command apiserver is an API server for ConfigMaps in memory, until it is interrupted:
//
//	go run github.com/unrolled/mapstore/v2/pkg/mapstoretest/apiserver
//
// It writes a kubeconfig and says where. With that, kubectl can get, create, edit, patch,
// label, apply, diff, delete and watch ConfigMaps, and any program can have stores on it.
// JSON patches and kubectl describe, which asks for events, are refused. It listens on
// 127.0.0.1 without TLS; whoever reaches it may do everything. The documentation of
// package mapstoretest says in what else it differs from a real one.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/unrolled/mapstore/v2/pkg/internal/memapi"
)

func main() {
	var opts options
	flag.StringVar(&opts.address, "address", "127.0.0.1:0", "where to listen; port 0 is any that is free")
	flag.StringVar(&opts.kubeconfig, "kubeconfig", "", "the kubeconfig to write; by default one in a temporary folder")
	flag.StringVar(&opts.data, "data", "", "a file to keep what is written; by default it is gone at the end")
	attached := flag.Bool("attached", false, "end when the input ends, as with the program that has started it")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if *attached {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			stop()
		}()
	}
	if err := run(ctx, opts, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "apiserver:", err)
		os.Exit(1)
	}
}

type options struct{ address, kubeconfig, data string }

func run(ctx context.Context, opts options, out io.Writer) error {
	server := &memapi.Server{}
	if opts.data != "" {
		file, err := os.OpenFile(opts.data, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return err
		}
		defer file.Close()
		if err := server.Journal(file); err != nil {
			return err
		}
	}
	listener, err := net.Listen("tcp", opts.address)
	if err != nil {
		return err
	}
	defer listener.Close()
	if opts.kubeconfig == "" {
		dir, err := os.MkdirTemp("", "mapstore-apiserver-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		opts.kubeconfig = filepath.Join(dir, "kubeconfig")
	}
	url := "http://" + listener.Addr().String()
	if err := writeKubeconfig(opts.kubeconfig, url); err != nil {
		return err
	}
	// Somebody may wait for the first line.
	fmt.Fprintf(out, "An API server for ConfigMaps, in memory, is ready at %s\n", url)
	fmt.Fprintf(out, "    export KUBECONFIG=%s\nCtrl-C stops it.\n", opts.kubeconfig)

	serving := &http.Server{Handler: server, ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { _ = serving.Close() }) // ends the watches, too
	if err := serving.Serve(listener); ctx.Err() == nil {
		return err
	}
	return nil
}

func writeKubeconfig(path, url string) error {
	config := api.NewConfig()
	config.Clusters["in-memory"] = &api.Cluster{Server: url}
	config.Contexts["in-memory"] = &api.Context{Cluster: "in-memory", Namespace: "default"}
	config.CurrentContext = "in-memory"
	return clientcmd.WriteToFile(*config, path)
}
