package checker

import "testing"

func TestEqualMapsAreEqualContents(t *testing.T) {
	var p pool
	entries := map[string]string{"b": "a=\"1\"\nc", "a": "\xff"}
	c := p.takeMap(entries)
	if want := contents("a=\"\\xff\"\nb=\"a=\\\"1\\\"\\nc\"\n"); c != want {
		t.Errorf("got  %q\nwant %q", c, want)
	}
	if got := c.only(func(key string) bool { return key == "a" }); got != "a=\"\\xff\"\n" {
		t.Errorf("only a is %q", got)
	}
}

func TestMarksAreFoundInContents(t *testing.T) {
	m := mark{"nonce", 7, 2}
	got := holding("checker.0.1", m.String(), "checker.0.2", "garbage", "other", m.String()).marks()
	if len(got) != 1 || got["checker.0.1"] != m {
		t.Errorf("got %v", got)
	}
}
