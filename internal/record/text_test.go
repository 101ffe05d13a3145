package record

import "testing"

// A variant is shown as it was written, and nobody has to look up what a ref was.
func TestVariantText(t *testing.T) {
	const commit = "1d0e9b4c5a66b7f08192a3b4c5d6e7f801234567"
	for _, c := range []struct{ spec, commit, want, why string }{
		{"refserver:flush=sync", "", "refserver:flush=sync", "it was built by somebody else, or before commits were kept"},
		{"git:HEAD~1", commit, "git:HEAD~1 (1d0e9b4c5a66)", "tomorrow HEAD~1 is another commit"},
		{"git:main:flush=sync,GOGC=50", commit, "git:main:flush=sync,GOGC=50 (1d0e9b4c5a66)", "options stay as they were written"},
		{"git:1d0e9b4", commit, "git:1d0e9b4", "it says so itself"},
		{"git:" + commit + ":flush=sync", commit, "git:" + commit + ":flush=sync", "it says so itself, whole"},
		{"git:1d0e9", commit, "git:1d0e9 (1d0e9b4c5a66)", "too short to stand for ever"},
		{"git:v1", "abc", "git:v1 (abc)", "a record of somebody else's making has less than a whole name"},
	} {
		if got := VariantText(c.spec, c.commit); got != c.want {
			t.Errorf("%s, %s: %s, want %s: %s", c.spec, c.commit, got, c.want, c.why)
		}
	}
}
