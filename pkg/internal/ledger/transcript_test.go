package ledger

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite what the transcripts in testdata say that a resolver does")

// The files in testdata are the specification of a Resolver. Each paragraph is one
// commit, whose id is "me": what happens, and behind the arrow what the resolver says.
func TestTranscripts(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("%d transcripts, %v", len(paths), err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var play play
			var lines []string
			for i, line := range strings.Split(string(text), "\n") {
				said := play.line(line)
				if said != line && !*update {
					t.Errorf("%s:%d: %s\n\twant: %s", path, i+1, said, line)
				}
				lines = append(lines, said)
			}
			if *update {
				if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// A play is one commit in a transcript.
type play struct {
	resolver  *Resolver
	sequences map[string]uint64 // of revisions
}

// line plays a line, and returns it with what the resolver says now.
func (p *play) line(line string) string {
	event, _, _ := strings.Cut(line, "->")
	event = strings.TrimRight(event, " ")
	if event == "" || strings.HasPrefix(event, "#") {
		return line
	}
	words := strings.Fields(event)
	if words[0] == "base" {
		p.sequences = make(map[string]uint64)
		base, evidence := p.version(words[1:])
		p.resolver = NewResolver(base, "me", evidence)
		return event
	}
	return fmt.Sprintf("%-44s -> %s", event, p.say(p.step(event, words)))
}

func (p *play) step(event string, words []string) Action {
	err := errors.New(event)
	switch words[0] {
	case "begin":
		return p.resolver.Begin(len(words) == 1)
	case "saw", "passed":
		v, _ := p.version(words[1:])
		if words[0] == "passed" {
			v.Sequence = 0
		}
		return p.resolver.Saw(v)
	case "applied", "read":
		v, _ := p.version(words[1:])
		return p.resolver.Step(Event{Kind: map[string]EventKind{"applied": Applied, "read": Read}[words[0]], Version: v})
	}
	for kind, name := range map[EventKind]string{
		Conflict: "conflict", Declined: "declined", Rejected: "rejected", Unsent: "unsent", Withheld: "withheld", Lost: "lost",
		ReadFailed: "cannot-read", ReadDenied: "may-not-read", Elapsed: "elapsed", Ended: "ended",
	} {
		if words[0] == name {
			return p.resolver.Step(Event{Kind: kind, Err: err})
		}
	}
	panic("no such event: " + event)
}

// version reads a revision and what is said of it. The newest version has the highest
// sequence; one that was there before has the one that it had.
func (p *play) version(words []string) (v Version, evidence Evidence) {
	v.Revision = words[0]
	if p.sequences[v.Revision] == 0 {
		p.sequences[v.Revision] = uint64(len(p.sequences) + 1)
	}
	v.Sequence = p.sequences[v.Revision]
	for _, word := range words[1:] {
		name, value, _ := strings.Cut(word, "=")
		n, _ := strconv.ParseUint(value, 10, 64)
		switch name {
		case "ledger":
			v.IDs = Parse(strings.ReplaceAll(value, ",", " "))
		case "follows":
			v.Follows = value
		case "absent":
			v.Absent = true
		case "resets":
			v.Resets = n
		case "rewinds":
			v.Resets, v.Rewinds = n, n
		case "evidence":
			evidence = map[string]Evidence{"arriving": Arriving, "stripped": Stripped}[value]
		default:
			panic("no such fact: " + word)
		}
	}
	return v, evidence
}

func (p *play) say(a Action) string {
	if a != Report {
		doubt := ""
		if p.resolver.Doubt() != nil {
			doubt = ", in doubt"
		}
		return []string{"go on", "send", "send a fence", "read", "report", "wait for the answer", "wait for a version", "wait for the watch"}[a] + doubt
	}
	o := p.resolver.Outcome()
	said := []string{"committed", "superseded", "unavailable", "refused", "uncompleted", "unknown"}[o.Kind]
	if o.Err != nil {
		said += ": " + o.Err.Error()
	}
	return said
}
