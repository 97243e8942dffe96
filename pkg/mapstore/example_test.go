package mapstore_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strconv"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/watch"
)

// open stands for the first lines of a program.
func open(name string) *mapstore.Store {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	store, err := mapstore.Open(ctx, name, mapstore.Options{})
	if err != nil {
		log.Fatal(err)
	}
	return store
}

func Example() {
	ctx := context.Background()
	store, err := mapstore.Open(ctx, "greetings", mapstore.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()

	if err := store.Set(ctx, "greeting", "hello"); err != nil {
		log.Fatal(err)
	}
	greeting, ok := store.Get("greeting")
	fmt.Println(greeting, ok)
	// Output: hello true
}

// A controller or any other program that has a client of its own uses New, and
// runs the store beside its other work. With controller-runtime the goroutine
// is mgr.Add(store).
func ExampleNew() {
	newClient := func() kubernetes.Interface {
		config, err := rest.InClusterConfig()
		if err != nil {
			log.Fatal(err)
		}
		config.QPS = -1 // client-go's default is 5 requests a second
		return kubernetes.NewForConfigOrDie(config)
	}
	main := func(ctx context.Context) error {
		store, err := mapstore.New(newClient(), "default", "settings", mapstore.Options{})
		if err != nil {
			return err
		}
		ended := make(chan error, 1)
		go func() { ended <- store.Start(ctx) }()
		if err := store.WaitForSync(ctx); err != nil {
			return err
		}
		// … work …
		return <-ended
	}
	_ = main
}

// A transaction reads and writes any number of keys. It may run several times;
// exactly one run takes effect, whoever else writes.
func ExampleStore_Update() {
	ctx := context.Background()
	store := open("accounts")
	defer store.Close()

	errPoor := errors.New("not enough")
	transfer := func(from, to string, amount int) error {
		_, err := store.Update(ctx, func(tx *mapstore.Tx) error {
			a, b := number(tx, from), number(tx, to)
			if a < amount {
				return errPoor // nothing is written, and Update returns this error
			}
			tx.Set(from, strconv.Itoa(a-amount))
			tx.Set(to, strconv.Itoa(b+amount))
			return nil
		})
		return err
	}
	if err := store.Set(ctx, "alice", "100"); err != nil {
		log.Fatal(err)
	}
	fmt.Println(transfer("alice", "bob", 30))
	fmt.Println(transfer("bob", "alice", 50))
	for key, value := range store.Snapshot().All() {
		fmt.Println(key, value)
	}
	// Output:
	// <nil>
	// not enough
	// alice 70
	// bob 30
}

func number(tx *mapstore.Tx, key string) int {
	value, _ := tx.Get(key)
	n, _ := strconv.Atoi(value)
	return n
}

// The deltas of all changes, folded from an empty map, are always the contents
// of the store.
func ExampleStore_OnChange() {
	ctx := context.Background()
	store := open("flags")
	defer store.Close()

	seen := make(chan string)
	subscription := store.OnChange(func(change mapstore.Change) {
		for key, delta := range change.Deltas() {
			seen <- fmt.Sprintf("%s %s: %q to %q", key, delta.Op, delta.Old, delta.New)
		}
	}, mapstore.Prefix("flag."))
	defer subscription.Stop()

	for _, value := range []string{"off", "on"} {
		if err := store.Set(ctx, "flag.dark-mode", value); err != nil {
			log.Fatal(err)
		}
		fmt.Println(<-seen)
	}
	if err := store.Delete(ctx, "flag.dark-mode"); err != nil {
		log.Fatal(err)
	}
	fmt.Println(<-seen)
	// Output:
	// flag.dark-mode added: "" to "off"
	// flag.dark-mode modified: "off" to "on"
	// flag.dark-mode removed: "on" to ""
}

func ExampleStore_Changes() {
	ctx := context.Background()
	store := open("levels")
	defer store.Close()
	if err := store.Set(ctx, "log", "info"); err != nil {
		log.Fatal(err)
	}
	for change := range store.Changes(ctx, mapstore.Keys("log", "trace")) {
		fmt.Println(change.Keys())
		break
	}
	// Output: [log]
}

// Keys that belong together are read from one snapshot.
func ExampleStore_Snapshot() {
	ctx := context.Background()
	store := open("database")
	defer store.Close()
	if _, err := store.Update(ctx, func(tx *mapstore.Tx) error {
		tx.Set("host", "db-1")
		tx.Set("port", "5432")
		return nil
	}); err != nil {
		log.Fatal(err)
	}
	now := store.Snapshot()
	host, _ := now.Get("host")
	port, _ := now.Get("port")
	fmt.Println(host, port, now.Keys(), now.Len())
	// Output: db-1 5432 [host port] 2
}

// What one process has written, another can wait for: the revision travels
// with whatever message tells it to look.
func ExampleStore_WaitFor() {
	ctx := context.Background()
	here, there := open("jobs"), open("jobs")
	defer here.Close()
	defer there.Close()

	written, err := here.Update(ctx, func(tx *mapstore.Tx) error {
		tx.Set("job-1", "done")
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	seen, err := there.WaitFor(ctx, written.Revision())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(seen.Get("job-1"))
	// Output: done true
}

func ExampleStore_WaitUntil() {
	ctx := context.Background()
	store := open("rollout")
	defer store.Close()
	written := make(chan error, 1)
	go func() { written <- store.Set(ctx, "ready", "yes") }()

	now, err := store.WaitUntil(ctx, func(now *mapstore.Snapshot) bool {
		ready, _ := now.Get("ready")
		return ready == "yes"
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := <-written; err != nil {
		log.Fatal(err)
	}
	fmt.Println(now.Get("ready"))
	// Output: yes true
}

// A quorum read sees every write that was complete before the call.
func ExampleStore_Sync() {
	ctx := context.Background()
	store, other := open("limits"), open("limits")
	defer store.Close()
	defer other.Close()
	if err := other.Set(ctx, "max", "10"); err != nil {
		log.Fatal(err)
	}
	now, err := store.Sync(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(now.Get("max"))
	// Output: 10 true
}

func ExampleStore_Status() {
	ctx := context.Background()
	store := open("status")
	defer store.Close()
	if err := store.Set(ctx, "k", "12345"); err != nil {
		log.Fatal(err)
	}
	status := store.Status()
	fmt.Println(status.Synced, status.Exists, status.Bytes, status.Err)
	// Output: true true 5 <nil>
}

func ExampleStore_Verify() {
	ctx := context.Background()
	store := open("rights")
	defer store.Close()
	fmt.Println(store.Verify(ctx))
	// Output: <nil>
}

// An index that is made anew for each version: which keys has each owner?
func ExampleStore_Attach() {
	ctx := context.Background()
	store := open("owners")
	defer store.Close()

	index := watch.NewVar(map[string][]string{})
	view := &mapstore.View{
		Name: "keys by owner",
		Var:  index,
		See: func(now *mapstore.Snapshot) {
			keys := make(map[string][]string)
			for key, owner := range now.All() {
				keys[owner] = append(keys[owner], key)
			}
			index.Store(keys)
		},
	}
	store.Attach(view)
	defer view.Detach()

	if _, err := store.Update(ctx, func(tx *mapstore.Tx) error {
		tx.Set("shard-1", "ann")
		tx.Set("shard-2", "bob")
		tx.Set("shard-3", "ann")
		return nil
	}); err != nil {
		log.Fatal(err)
	}
	keys, err := index.Wait(ctx, func(keys map[string][]string) bool { return len(keys) > 0 })
	fmt.Println(keys["ann"], err)
	// Output: [shard-1 shard-3] <nil>
}

// A service that follows a dozen maps of its own by one watch.
func ExampleFamily() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	clientset, err := kubernetes.NewForConfig(&rest.Config{Host: "https://cluster.example", QPS: -1})
	if err != nil {
		log.Fatal(err)
	}
	family, err := mapstore.NewFamily(clientset, "shop", "app=shop", mapstore.Options{})
	if err != nil {
		log.Fatal(err)
	}
	go func() { _ = family.Start(context.Background()) }()
	defer family.Close()
	if err := family.WaitForSync(ctx); err != nil {
		log.Fatal(err)
	}

	family.OnChange(func(name string, change mapstore.Change) {
		fmt.Println(name, "has changed:", change.Keys())
	})
	limits := family.Store("limits") // a store like any other
	if err := limits.Set(ctx, "requests", "100"); err != nil {
		log.Fatal(err)
	}
	fmt.Println(family.Names())
}
