package main

import "testing"

func TestWithOption(t *testing.T) {
	for _, c := range []struct{ spec, want, why string }{
		{"refserver", "refserver:ballast=5", "the first option stands behind a colon"},
		{"refserver:", "refserver:ballast=5", "which may be there"},
		{"refserver:flush=sync", "refserver:flush=sync,ballast=5", "a further one behind a comma"},
		{"git:HEAD", "git:HEAD:ballast=5", "a revision is no option"},
		{"git:HEAD:flush=sync", "git:HEAD:flush=sync,ballast=5", "options stand behind it"},
		{"target:mine", "target:mine:ballast=5", "nor is a name"},
		{"bin:./old/refserver", "bin:./old/refserver:ballast=5", "nor is a path"},
	} {
		if got := withOption(c.spec, "ballast=5"); got != c.want {
			t.Errorf("%s becomes %s, want %s: %s", c.spec, got, c.want, c.why)
		}
	}
}
