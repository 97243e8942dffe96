// Command basic shares one ConfigMap with whoever else uses it, for five seconds.
// Run two of them side by side: each sees what the other does.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strconv"
	"time"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()

	store, err := mapstore.Open(ctx, "basic", mapstore.Options{})
	if err != nil {
		return err
	}
	defer store.Close()

	store.OnChange(func(change mapstore.Change) {
		for key, delta := range change.Deltas() {
			fmt.Printf("%s %s: %q -> %q\n", delta.Op, key, delta.Old, delta.New)
		}
	})

	if err := store.Set(ctx, "greeting", "hello"); err != nil {
		return err
	}
	_, err = store.Update(ctx, func(tx *mapstore.Tx) error {
		value, _ := tx.Get("visits")
		visits, _ := strconv.Atoi(value) // 0 on the first visit
		tx.Set("visits", strconv.Itoa(visits+1))
		return nil
	})
	if err != nil {
		return err
	}

	visits, _ := store.Get("visits")
	fmt.Printf("this is visit %s\n", visits)
	<-ctx.Done() // meanwhile, what others change is printed
	return nil
}
