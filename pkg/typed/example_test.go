package typed_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/netip"
	"os"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/typed"
)

// openFake returns a running store on a cluster of its own.
func openFake(name string) *mapstore.Store {
	store, err := mapstore.New(fake.NewClientset(), "default", name, mapstore.Options{})
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		if err := store.Start(context.Background()); err != nil {
			log.Fatal(err)
		}
	}()
	if err := store.WaitForSync(context.Background()); err != nil {
		log.Fatal(err)
	}
	return store
}

// A service that follows one setting while it runs.
func ExampleBind() {
	ctx := context.Background()
	store := openFake("service")
	defer store.Close()

	timeout := typed.Bind(store, "timeout", typed.Duration(), 30*time.Second)
	fmt.Println(timeout.Load()) // in a request path: it costs nothing

	changed := make(chan string)
	timeout.OnChange(func(old, new time.Duration) { changed <- fmt.Sprint(old, " to ", new) })
	if err := store.Set(ctx, "timeout", "5s\n"); err != nil { // as anybody may, with kubectl
		log.Fatal(err)
	}
	fmt.Println(<-changed)
	// Output:
	// 30s
	// 30s to 5s
}

// Validation is part of decoding: nothing invalid is served, or written.
func ExampleCodec_Validate() {
	ctx := context.Background()
	store := openFake("ports")
	defer store.Close()

	unprivileged := typed.Int[uint16]().Validate(func(port uint16) error {
		if port < 1024 {
			return typed.Reject("must be 1024 or above")
		}
		return nil
	})
	port := typed.Bind(store, "port", unprivileged, 8080)
	fmt.Println(port.Set(ctx, 80))
	fmt.Println(port.Set(ctx, 9090), port.Load())
	// Output:
	// mapstore: value rejected: port: its encoding is rejected; must be 1024 or above
	// <nil> 9090
}

// A malformed value leaves the last good one, and shows.
func ExampleValue_Err() {
	ctx := context.Background()
	store := openFake("flags-typed")
	defer store.Close()
	if err := store.Set(ctx, "dark-mode", "yes"); err != nil {
		log.Fatal(err)
	}
	darkMode := typed.Bind(store, "dark-mode", typed.Bool(), false)
	fmt.Println(darkMode.Load(), darkMode.Err())
	fmt.Println(store.Status().Rejected)
	// Output:
	// false mapstore: value rejected: dark-mode: not a boolean
	// [dark-mode]
}

func ExampleValue_Update() {
	ctx := context.Background()
	store := openFake("workers")
	defer store.Close()

	type assignments map[string][]string
	workers := typed.Bind(store, "workers.yaml", typed.YAML[assignments](), assignments{})
	if err := workers.Update(ctx, func(all assignments) (assignments, error) {
		all["worker-1"] = append(all["worker-1"], "shard-7")
		return all, nil
	}); err != nil {
		log.Fatal(err)
	}
	text, _ := store.Get("workers.yaml")
	fmt.Print(text)
	// Output:
	// worker-1:
	// - shard-7
}

// A struct of many keys, all from one version of the map.
func ExampleDerive() {
	ctx := context.Background()
	store := openFake("upstream")
	defer store.Close()
	if _, err := store.Update(ctx, func(tx *mapstore.Tx) error {
		tx.Set("address", "10.0.0.1")
		tx.Set("retries", "many")
		return nil
	}); err != nil {
		log.Fatal(err)
	}

	type upstream struct {
		Address netip.Addr
		Retries int
	}
	settings := typed.Derive(store, func(now mapstore.Reader) (upstream, error) {
		address, err1 := typed.Text[netip.Addr]().From(now, "address", netip.IPv6Loopback())
		retries, err2 := typed.Int[int]().From(now, "retries", 3)
		return upstream{address, retries}, errors.Join(err1, err2)
	})
	fmt.Println(settings.Load())
	fmt.Println(settings.Err())
	// Output:
	// {10.0.0.1 3}
	// mapstore: value rejected: (typed_test.upstream): retries: not an integer
}

// Each field of a struct has a key. What is wrong is named, all at once, and does not hold
// back the rest.
func ExampleStruct() {
	ctx := context.Background()
	store := openFake("struct")
	defer store.Close()

	type settings struct {
		Port    int           `min:"1024" doc:"What it listens on."`
		Timeout time.Duration `doc:"How long a request may take."`
		Mode    string        `key:",line" oneof:"fast safe"`
	}
	defaults := settings{Port: 8080, Timeout: time.Second, Mode: "safe"}
	current := typed.Derive(store, typed.Struct(defaults))
	if _, err := store.Update(ctx, func(tx *mapstore.Tx) error {
		tx.Set("port", "80")
		tx.Set("tiemout", "5s")
		tx.Set("mode", "fast\n")
		return nil
	}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(current.Load())
	fmt.Println(current.Err())
	fmt.Println(typed.Unused(store.Snapshot(), defaults))
	fmt.Print(typed.Describe(defaults))
	// Output:
	// {8080 1s fast}
	// mapstore: value rejected: (typed_test.settings): port: must be at least 1024
	// [tiemout]
	// | key     | value                   | default |                              |
	// | ------- | ----------------------- | ------- | ---------------------------- |
	// | port    | integer, at least 1024  | 8080    | What it listens on.          |
	// | timeout | duration                | 1s      | How long a request may take. |
	// | mode    | line, one of fast, safe | safe    |                              |
}

// What a log says of values that are rejected, here with log/slog.
func ExampleValue_slog() {
	ctx := context.Background()
	handler := slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})
	settings := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "settings"}}
	store, err := mapstore.New(fake.NewClientset(settings), "default", "settings", mapstore.Options{Logger: logr.FromSlogHandler(handler)})
	if err != nil {
		log.Fatal(err)
	}
	go func() { _ = store.Start(ctx) }()
	defer store.Close()
	if err := store.WaitForSync(ctx); err != nil {
		log.Fatal(err)
	}
	typed.Bind(store, "timeout", typed.Duration(), time.Second)
	typed.Bind(store, "jobs.yaml", typed.YAML[struct{ Workers int }](), struct{ Workers int }{4})
	for _, text := range [][2]string{{"timeout", "\u200b30s"}, {"jobs.yaml", "# jobs\nworkers: many\n"}, {"jobs.yaml", "workers: 8\n"}} {
		if err := store.Set(ctx, text[0], text[1]); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// level=INFO msg=Synced namespace=default configmap=settings cluster="" revision="" keys=0
	// level=ERROR msg="A value is rejected; serving the last good one" namespace=default configmap=settings key=timeout reason="not a duration: it begins with a zero width space"
	// level=ERROR msg="A value is rejected; serving the last good one" namespace=default configmap=settings key=jobs.yaml reason="field Workers, at line 2, column 10, does not fit into the type int"
	// level=INFO msg="A value is accepted again" namespace=default configmap=settings key=jobs.yaml
}

// One's own codec is two functions.
func ExampleCodec() {
	ctx := context.Background()
	store := openFake("codec")
	defer store.Close()

	date := typed.Codec[time.Time]{
		Decode: func(text string) (time.Time, error) { return time.Parse(time.DateOnly, text) },
		Encode: func(day time.Time) (string, error) { return day.Format(time.DateOnly), nil },
	}
	release := typed.Bind(store, "release", date, time.Time{})
	if err := release.Set(ctx, time.Date(2026, 2, 1, 15, 4, 5, 0, time.UTC)); err != nil {
		log.Fatal(err)
	}
	fmt.Println(release.Load())
	// Output: 2026-02-01 00:00:00 +0000 UTC
}
