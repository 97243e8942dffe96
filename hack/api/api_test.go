package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"strings"
	"testing"
)

const before = `package p

type Store struct {
	Name   string
	hidden int
}

func (s *Store) Get(key string) (string, bool) { return "", false }
func (s Store) Len() int                       { return 0 }
func (s *Store) quiet()                        {}

type Codec[T any] interface {
	Decode(text string) (T, error)
}

type Pair[K comparable, V any] struct{ entries map[K]V }

func (p *Pair[K, V]) Each(fn func(key K, value V)) {}

type Filter func(key string) bool
type Point struct{ X, Y int }
type Text = string

func Open(name string, filters ...Filter) (*Store, error) { return nil, nil }

func Map[T any](values []T) {}

var ErrClosed error

const Limit = 1 << 20
`

// What breaks somebody's code is told from what does not.
func TestWhatBreaksCallersIsFound(t *testing.T) {
	for _, c := range []struct{ name, old, new, gone, added string }{
		{name: "nothing"},
		{name: "a parameter is renamed", old: "key string) (", new: "k string) ("},
		{name: "a callback's parameter is renamed", old: "fn func(key K, value V)", new: "fn func(k K, v V)"},
		{name: "an interface's parameter is renamed", old: "text string", new: "s string"},
		{name: "an unexported method goes", old: "func (s *Store) quiet() ", new: "func (s *Store) silent() "},
		{name: "an unexported field is renamed", old: "hidden int", new: "secret int"},
		{name: "a function is added", old: "var Err", new: "func Close() {}\nvar Err", added: "func Close()"},
		{name: "a field is added", old: "hidden int", new: "Size int", added: "type Store struct, Size int"},
		{name: "a method is renamed", old: ") Get(", new: ") Find(", gone: "method (*Store) Get(string) (string, bool)", added: "method (*Store) Find(string) (string, bool)"},
		{name: "a result goes", old: "(string, bool)", new: "string", gone: "method (*Store) Get(string) (string, bool)", added: "method (*Store) Get(string) string"},
		{name: "a value method gets a pointer", old: "(s Store) Len", new: "(s *Store) Len", gone: "method (Store) Len() int", added: "method (*Store) Len() int"},
		{name: "a field changes its type", old: "Name   string", new: "Name []byte", gone: "type Store comparable struct\ntype Store struct, Name string", added: "type Store struct\ntype Store struct, Name []byte"},
		{name: "an interface grows", old: "(T, error)\n}", new: "(T, error); Close()\n}", gone: "type Codec[T any] interface{Decode(string) (T, error)}", added: "type Codec[T any] interface{Close(); Decode(string) (T, error)}"},
		{name: "a constraint is narrower", old: "K comparable, V any]", new: "K, V comparable]", gone: "method (*Pair[K comparable, V any]) Each(func(K, V))\ntype Pair[K comparable, V any] struct", added: "method (*Pair[K, V comparable]) Each(func(K, V))\ntype Pair[K, V comparable] struct"},
		{name: "values can no longer be compared", old: "X, Y int", new: "X, Y int; f func()", gone: "type Point comparable struct", added: "type Point struct"},
		{name: "a constant has another value", old: "1 << 20", new: "1 << 21", gone: "const Limit untyped int = 1048576", added: "const Limit untyped int = 2097152"},
		{name: "a type goes", old: "type Text", new: "type text", gone: "type Text = string"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if n := strings.Count(before, c.old); c.old != "" && n != 1 {
				t.Fatalf("the old text occurs %d times", n)
			}
			was, is := linesOf(t, before), linesOf(t, strings.Replace(before, c.old, c.new, 1))
			join := func(lines []string) string { return strings.ReplaceAll(strings.Join(lines, "\n"), "p, ", "") }
			if gone, added := join(without(was, is)), join(without(is, was)); gone != c.gone || added != c.added {
				t.Errorf("gone %q, added %q; want %q, %q", gone, added, c.gone, c.added)
			}
		})
	}
}

func linesOf(t *testing.T, source string) []string {
	t.Helper()
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, "p.go", source, 0)
	if err != nil {
		t.Fatal(err)
	}
	pkg, err := (&types.Config{IgnoreFuncBodies: true}).Check("example.com/p", files, []*ast.File{file}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return lines("p", pkg)
}
