package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// runChild is the child's main.
func runChild() int {
	if err := beChild(os.Args[2], os.Args[3], os.Args[4]); err != nil {
		fmt.Fprintln(os.Stderr, "faults: child:", err)
		return 1
	}
	return 0
}

func beChild(kubeconfig, namespace, name string) error {
	quiet()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	config.QPS = -1
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	store, err := mapstore.New(client, namespace, mapName, mapstore.Options{})
	if err != nil {
		return err
	}
	var running sync.WaitGroup
	running.Go(func() { _ = store.Start(context.Background()) }) // it ends by Close
	defer running.Wait()
	defer store.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := store.WaitForSync(ctx); err != nil {
		return err
	}

	say := func(what string, which any) { fmt.Printf("%s %v\n", what, which) } // one write each: a kill cuts none in two
	store.OnChange(func(change mapstore.Change) {
		if value, ok := change.New.Get(outsideKey); ok && until(context.Background(), time.Minute, func() bool { return store.Status().Err == nil }) == nil {
			say("fresh", value)
		}
	}, mapstore.Keys(outsideKey))
	stopping := make(chan struct{})
	var writers sync.WaitGroup
	for w := range childWriters {
		writers.Go(func() { increment(store, counterOf(name, w), stopping, func(what string) { say(what, w) }) })
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	close(stopping)
	writers.Wait()
	return err
}

func increment(store *mapstore.Store, key string, stopping <-chan struct{}, say func(string)) {
	for {
		select {
		case <-stopping:
			return
		case <-time.After(20 * time.Millisecond): // the pace of the writer
		}
		say("call")
		_, err := store.Update(context.Background(), func(tx *mapstore.Tx) error {
			text, _ := tx.Get(key)
			n, _ := strconv.Atoi(text)
			tx.Set(key, strconv.Itoa(n+1))
			return nil
		})
		switch {
		case err == nil:
			say("acknowledged")
		case errors.Is(err, mapstore.ErrUnknownOutcome):
			say("unknown")
		default:
			say("failed")
		}
	}
}
