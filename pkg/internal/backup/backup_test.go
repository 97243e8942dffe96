package backup

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// children are what this program does instead of its tests, by the environment variable
// that says so.
var children = map[string]func(value string){writing: func(file string) { writeForEver(File(file)) }}

func TestMain(m *testing.M) {
	for variable, do := range children {
		if value := os.Getenv(variable); value != "" {
			do(value)
			return
		}
	}
	os.Exit(m.Run())
}

// saved returns a state that has of everything something.
func saved() *State {
	return &State{
		Namespace: "ns", Name: "settings", UID: "uid-1", Revision: "42", Exists: true,
		Values:  map[string]string{"text": "v", "binary": "\x00\xff\xfe\n", "empty": ""},
		Current: time.Date(2026, 11, 26, 12, 3, 0, 0, time.UTC),
	}
}

func file(t *testing.T) File { return File(filepath.Join(t.TempDir(), "settings")) }

func write(t *testing.T, f File, s *State) {
	t.Helper()
	if err := f.Write(s); err != nil {
		t.Fatal(err)
	}
}

func equal(a, b *State) bool {
	same := a.Namespace == b.Namespace && a.Name == b.Name && a.UID == b.UID && a.Revision == b.Revision && a.Exists == b.Exists
	return same && a.Current.Equal(b.Current) && maps.Equal(a.Values, b.Values)
}

func TestWhatIsReadIsWhatWasWritten(t *testing.T) {
	large := saved()
	large.Values["large"] = strings.Repeat("\xf0x", 1<<19)
	for name, state := range map[string]*State{
		"of everything something": saved(),
		"1 MiB":                   large,
		"a map that is not there": {Namespace: "ns", Name: "settings", Revision: "7", Current: saved().Current},
	} {
		t.Run(name, func(t *testing.T) {
			f := file(t)
			write(t, f, &State{Name: "before"})
			write(t, f, state)
			if got, err := f.Read(); err != nil || !equal(got, state) {
				t.Errorf("%+v, %v; want %+v", got, err, state)
			}
		})
	}
}

func TestADamagedFileIsNeverAState(t *testing.T) {
	whole, err := encode(saved())
	if err != nil {
		t.Fatal(err)
	}
	f := file(t)
	check := func(what string, at int, content []byte) {
		t.Helper()
		if err := os.WriteFile(string(f), content, 0o600); err != nil {
			t.Fatal(err)
		}
		if state, err := f.Read(); !errors.Is(err, ErrDamaged) {
			t.Fatalf("%s at byte %d of %d: %+v, %v", what, at, len(whole), state, err)
		}
	}
	for i := range whole {
		check("truncated", i, whole[:i])
		for _, bits := range []byte{0x01, 0x80, 0xff} {
			damaged := append([]byte(nil), whole...)
			damaged[i] ^= bits
			check("damaged", i, damaged)
		}
	}
	check("something appended", len(whole), append(append([]byte(nil), whole...), 0))
	check("written twice", len(whole), append(append([]byte(nil), whole...), whole...))
	zeros := make([]byte, len(whole)) // what a power cut can leave of a file that was not synced
	check("zeros", 0, zeros)
}

func TestAStateIsUsedForItsOwnMapAndWhileItIsYoung(t *testing.T) {
	s := saved()
	for _, row := range []struct {
		namespace, name string
		age, maxAge     time.Duration
		want            error
	}{
		{"ns", "settings", 100 * 365 * 24 * time.Hour, 0, nil},
		{"ns", "settings", time.Hour, time.Hour, nil},
		{"ns", "settings", time.Hour + 1, time.Hour, ErrTooOld},
		{"ns", "settings", -time.Hour, time.Minute, nil},
		{"ns", "other", 0, 0, ErrOtherMap},
		{"other", "settings", 0, 0, ErrOtherMap},
	} {
		if err := s.Check(row.namespace, row.name, s.Current.Add(row.age), row.maxAge); !errors.Is(err, row.want) {
			t.Errorf("%+v: %v", row, err)
		}
	}
}

func TestOnlyTheOwnerMayReadTheFile(t *testing.T) {
	f := file(t)
	if err := os.WriteFile(string(f), []byte("before"), 0o666); err != nil {
		t.Fatal(err)
	}
	write(t, f, saved())
	if info, err := os.Stat(string(f)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestWhatCannotBeAFileIsNotRead(t *testing.T) {
	dir := t.TempDir()
	large := filepath.Join(dir, "large")
	if err := errors.Join(os.WriteFile(large, nil, 0o600), os.Truncate(large, maxBytes+1)); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]error{dir: ErrDamaged, large: ErrDamaged, filepath.Join(dir, "none"): fs.ErrNotExist} {
		if _, err := File(path).Read(); !errors.Is(err, want) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestAFailedWriteLeavesEverythingAsItWas(t *testing.T) {
	dir := t.TempDir()
	blocked := filepath.Join(dir, "folder")
	if err := errors.Join(os.Mkdir(blocked, 0o700), os.WriteFile(filepath.Join(dir, "file"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, f := range []File{File(blocked), File(filepath.Join(dir, "missing", "settings")), File(filepath.Join(dir, "file", "settings"))} {
		if err := f.Write(saved()); err == nil {
			t.Errorf("%s was written", f)
		}
	}
	if left := names(t, dir); left != "file folder" {
		t.Errorf("left behind: %s", left)
	}
}

// Some writers are killed, and two programs have the same file.
func TestTemporaryFilesAreSweptAndNobodyElses(t *testing.T) {
	f := file(t)
	dir := filepath.Dir(string(f))
	for _, name := range []string{"settings.123.tmp", "settings.4.tmp", "settings.old.tmp", "settings.tmp", "settings..tmp", "other.123.tmp", "settings.other.123.tmp", "settings.123"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f.Sweep()
	if left := names(t, dir); left != "other.123.tmp settings..tmp settings.123 settings.old.tmp settings.other.123.tmp settings.tmp" {
		t.Errorf("left: %s", left)
	}
}

func TestWritersOfOneFileNeverMakeAMixture(t *testing.T) {
	f := file(t)
	states := []*State{saved(), saved(), saved()}
	for i, s := range states {
		s.Values["which"] = strings.Repeat(string(rune('a'+i)), 1000*(i+1))
	}
	write(t, f, states[0])
	var writers sync.WaitGroup
	for _, s := range states {
		writers.Go(func() {
			for range 100 {
				if err := f.Write(s); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { writers.Wait(); close(done) }()
	for reading := true; reading; {
		select {
		case <-done:
			reading = false
		default:
		}
		got, err := f.Read()
		if err != nil || !equal(got, states[0]) && !equal(got, states[1]) && !equal(got, states[2]) {
			t.Fatalf("%v, %v", got, err)
		}
	}
	if left := names(t, filepath.Dir(string(f))); left != "settings" {
		t.Errorf("left behind: %s", left)
	}
}

func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, entry := range entries {
		all = append(all, entry.Name())
	}
	return strings.Join(all, " ")
}

func FuzzRead(f *testing.F) {
	whole, err := encode(saved())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add([]byte(header))
	f.Fuzz(func(t *testing.T, content []byte) {
		state, err := decode(content)
		if err != nil {
			return
		}
		again, err := encode(state)
		if err != nil {
			t.Fatal(err)
		}
		if second, err := decode(again); err != nil || !equal(state, second) {
			t.Errorf("%+v became %+v, %v", state, second, err)
		}
	})
}

func BenchmarkRead(b *testing.B) {
	benchmark(b, func(f File, _ *State) error { _, err := f.Read(); return err })
}
func BenchmarkWrite(b *testing.B) {
	benchmark(b, func(f File, s *State) error { return f.Write(s) })
}

func benchmark(b *testing.B, do func(File, *State) error) {
	s := saved()
	for i := range 1000 {
		s.Values[strings.Repeat("k", i%100)+string(rune('a'+i))] = strings.Repeat("x", 1000)
	}
	f := File(filepath.Join(b.TempDir(), "settings"))
	if err := f.Write(s); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := do(f, s); err != nil {
			b.Fatal(err)
		}
	}
}
