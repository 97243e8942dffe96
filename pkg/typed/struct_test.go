package typed_test

import (
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
	"github.com/unrolled/mapstore/v2/pkg/typed"
)

type common struct {
	Region string `key:",line" doc:"Where it runs."`
}

type settings struct {
	common
	Port     uint16        `min:"1024" doc:"What it listens on."`
	Timeout  time.Duration `key:"request-timeout" min:"1s" max:"1h"`
	LogLevel slog.Level
	Mode     level  `key:",line,keep" oneof:"fast safe"`
	Name     string `pattern:"[a-z]*"`
	Peers    []netip.Addr
	Tags     map[string]struct{} `oneof:"a b c"`
	Ratio    *float64
	Memory   resource.Quantity
	Token    string `key:",required"`
	Database struct {
		MaxConns int8
		URL      string `key:"url"`
	}
	Limits limitsDocument `key:"limits.yaml,yaml" doc:"Limits\nof all."`
	Skip   func()         `key:"-"`
	hidden int            //nolint:unused // it must be passed over
}

type limitsDocument struct {
	Burst int           `json:"burst"`
	Wait  time.Duration `json:"wait"`
}

func (s settings) Validate() error {
	if s.Port == 6666 && s.Mode == "fast" {
		return typed.Reject("the port and the mode do not fit")
	}
	return nil
}

func usualSettings() settings {
	s := settings{common: common{"eu"}, Port: 8080, Timeout: time.Minute, LogLevel: slog.LevelInfo, Mode: "safe", Memory: resource.MustParse("1Gi"), Limits: limitsDocument{10, time.Second}}
	s.Database.MaxConns = 5
	return s
}

func TestAStructHasAKeyForEachField(t *testing.T) {
	half := 0.5
	want := usualSettings()
	want.Region, want.Port, want.Timeout, want.LogLevel, want.Mode, want.Name = "us", 9090, 2*time.Second, slog.LevelDebug, "fast", "abc"
	want.Peers, want.Tags, want.Ratio = []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("::1")}, map[string]struct{}{"a": {}, "c": {}}, &half
	want.Memory, want.Token, want.Database.MaxConns, want.Database.URL = resource.MustParse("2Gi"), "t\n", 127, "postgres://x"
	want.Limits.Burst = 20
	got, err := typed.Struct(usualSettings())(mapstore.NewSnapshot(map[string]string{
		"region": "us\r\n", "port": "9090\n", "request-timeout": "2s", "log-level": "debug", "mode": "fast", "name": "abc", "peers": "10.0.0.1\n::1\n", "tags": "a,c,a",
		"ratio": "0.5", "memory": "2Gi", "token": "t\n", "database.max-conns": "127", "database.url": "postgres://x", "limits.yaml": "burst: 20\n", "hidden": "1", "skip": "1",
	}))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
}

func TestAStructNamesEveryKeyThatIsWrong(t *testing.T) {
	bad := map[string]string{"port": "80", "request-timeout": "2h", "log-level": "loud", "mode": "slow", "name": "canary4711", "peers": "::1,canary4711", "tags": "a,canary4711", "ratio": "half", "memory": "1e999", "database.max-conns": "128", "limits.yaml": "burst: many"}
	got, err := typed.Struct(usualSettings())(mapstore.NewSnapshot(bad))
	if !reflect.DeepEqual(got, usualSettings()) || err == nil {
		t.Fatalf("%+v, %v", got, err)
	}
	for key, reason := range map[string]string{"port": "must be at least 1024", "request-timeout": "must be 1s to 1h", "log-level": "an error of type", "mode": "not one of fast, safe", "name": "does not match [a-z]*", "peers": "element 2",
		"tags": "not one of a, b, c", "ratio": "not a number", "memory": "a quantity of more than 64", "token": "the key is missing", "database.max-conns": "out of the range of int8", "limits.yaml": "field burst, at line 1, column 8"} {
		if !strings.Contains(err.Error(), ": "+key+": "+reason) && !strings.Contains(err.Error(), key+": element 2; "+reason) {
			t.Errorf("nothing says that %s is wrong since it %s: %v", key, reason, err)
		}
	}
	if strings.Contains(err.Error(), "canary") {
		t.Errorf("it quotes: %v", err)
	}
}

// The limits of a number, a quantity and a string are in the order of their kind.
func TestTheLimitsOfEachKindAreInItsOrder(t *testing.T) {
	type limited struct {
		Ratio  float32           `min:"0.5" max:"10"`
		Memory resource.Quantity `min:"900Ki" max:"1Gi"`
		Letter string            `min:"b" max:"d"`
		Big    uint64            `max:"18446744073709551614"`
		Small  int64             `min:"-10" max:"-9"`
	}
	key := map[string][2]string{ // what fits, and what does not though it would as a text
		"ratio": {"9.5", "10.5"}, "memory": {"1Mi", "2Gi"}, "letter": {"cc", "a"}, "big": {"18446744073709551614", "18446744073709551615"}, "small": {"-9", "-1"},
	}
	good := make(map[string]string)
	for name, texts := range key {
		good[name] = texts[0]
	}
	base := limited{Ratio: 1, Memory: resource.MustParse("1Mi"), Letter: "c", Small: -9}
	got, err := typed.Struct(base)(mapstore.NewSnapshot(good))
	if err != nil || got.Ratio != 9.5 || got.Letter != "cc" || got.Big != 18446744073709551614 {
		t.Errorf("%+v, %v", got, err)
	}
	for name, texts := range key {
		bad := maps.Clone(good)
		bad[name] = texts[1]
		if _, err := typed.Struct(base)(mapstore.NewSnapshot(bad)); err == nil || !strings.Contains(err.Error(), name+": must be ") || strings.Count(err.Error(), "must be") != 1 {
			t.Errorf("%s is %s: %v", name, texts[1], err)
		}
	}
}

// Each field for itself; what does not fit together, as a whole.
func TestAStructKeepsTheLastGoodValueOfEachField(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		store := open(t, api)
		d := typed.Derive(store, typed.Struct(usualSettings()))
		expect := func(what string, port uint16, mode level, token, rejected string, missing bool) {
			t.Helper()
			synctest.Wait()
			got := d.Load()
			if got.Port != port || got.Mode != mode || got.Token != token || got.Timeout != time.Minute {
				t.Errorf("%s: %+v", what, got)
			}
			if status := store.Status(); fmt.Sprint(status.Rejected) != "["+rejected+"]" || (status.Err != nil) != missing {
				t.Errorf("%s: %v, %v; %v", what, status.Rejected, status.Err, d.Err())
			}
		}
		object := api.ConfigMap("default", "settings")
		object.Put(map[string]string{})
		expect("nothing", 8080, "safe", "", "token", true)
		object.Put(map[string]string{"port": "9090", "mode": "fast"})
		expect("all but what is required", 9090, "fast", "", "token", true)
		object.Put(map[string]string{"port": "9090", "mode": "fast", "token": "x"})
		expect("all", 9090, "fast", "x", "", false)
		object.Put(map[string]string{"port": "1", "mode": "fast", "token": "y"})
		expect("a bad port", 9090, "fast", "y", "port", false)
		object.Put(map[string]string{})
		expect("gone", 8080, "fast", "y", "token", true) // keep, required
		object.Put(map[string]string{"port": "6666", "token": "z"})
		expect("what does not fit together", 8080, "fast", "y", "(typed_test.settings)", false)
		object.Put(map[string]string{"port": "6666", "token": "z", "mode": "safe"})
		expect("what does", 6666, "safe", "z", "", false)
		object.Put(map[string]string{"mode": "x"})
		expect("two at once", 8080, "safe", "z", "mode token", true)
	})
}

func TestKeysThatNoFieldReadsAreListed(t *testing.T) {
	now := mapstore.NewSnapshot(map[string]string{"port": "", "tiemout": "", "timeout": "", "database.url": "", "database": "", "Port": ""})
	if got := fmt.Sprint(typed.Unused(now, settings{})); got != "[Port database tiemout timeout]" {
		t.Errorf("got %s", got)
	}
}

// What is shown to people is what is read.
func TestADescriptionIsATableAndAManifest(t *testing.T) {
	d := typed.Describe(usualSettings())
	table := d.String()
	for _, row := range []string{
		"| port               | integer without a sign, at least 1024 | 8080", "| request-timeout    | duration, 1s to 1h", "| peers              | list of netip.Addr",
		"| mode               | line, one of fast, safe", "| token              | string                                | required", "| Limits of all. ", "| database.max-conns | integer",
	} {
		if !strings.Contains(table, row) {
			t.Errorf("the table lacks %q:\n%s", row, table)
		}
	}
	manifest := d.Manifest("settings")
	var object struct {
		Kind string            `json:"kind"`
		Data map[string]string `json:"data"`
	}
	object, err := typed.YAML[struct {
		Kind string            `json:"kind"`
		Data map[string]string `json:"data"`
	}]().Decode(manifest)
	if err != nil || object.Kind != "ConfigMap" || len(object.Data) != len(d)-1 || !strings.Contains(manifest, "  # Limits\n  # of all.\n") {
		t.Fatalf("%v\n%s", err, manifest)
	}
	object.Data["token"] = ""
	for key, text := range object.Data { // of what has no default, there is nothing to read
		if text == "" {
			delete(object.Data, key)
		}
	}
	object.Data["token"] = ""
	got, err := typed.Struct(settings{})(mapstore.NewSnapshot(object.Data))
	if err != nil || !reflect.DeepEqual(got, usualSettings()) {
		t.Errorf("%+v, %v\n%s", got, err, manifest)
	}
}

func TestAStructThatCannotWorkIsFoundAtOnce(t *testing.T) {
	type tagged struct {
		X int `yaml:"y"`
	}
	for words, misuse := range map[string]func(){
		"typed: int: not a struct": func() { typed.Struct(5) },
		"no such option": func() {
			typed.Struct(struct {
				A int `key:",requird"`
			}{})
		},
		"has no codec": func() { typed.Struct(struct{ A map[string]int }{}) },
		"or one of two": func() {
			typed.Struct(struct {
				A, B int `key:"a"`
			}{})
		},
		"own codec rejects a": func() {
			typed.Struct(struct {
				A int `min:"x"`
			}{})
		},
		"no order": func() {
			typed.Struct(struct {
				A bool `min:"true"`
			}{})
		},
		"a pattern for": func() {
			typed.Struct(struct {
				A int `pattern:"x"`
			}{})
		},
		"yaml tag": func() {
			typed.Struct(struct {
				A tagged `key:",yaml"`
			}{})
		},
		"with it: a/b": func() {
			typed.Struct(struct {
				A int `key:"a/b"`
			}{})
		},
	} {
		func() {
			defer func() {
				if text := fmt.Sprint(recover()); !strings.HasPrefix(text, "typed: ") || !strings.Contains(text, words) {
					t.Errorf("%s: panics with %q", words, text)
				}
			}()
			misuse()
		}()
	}
}
