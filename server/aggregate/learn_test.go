package aggregate

import (
	"slices"
	"strings"
	"testing"

	"floodgate/internal/dogstatsd"
)

// naiveTags is canonicalTags as it reads.
func naiveTags(tags string) string {
	var host string
	var others []string
	for tag := range strings.SplitSeq(tags, ",") {
		switch dogstatsd.RoleOf([]byte(tag)) {
		case dogstatsd.HostTag:
			host = tag
		case dogstatsd.PlainTag:
			others = append(others, tag)
		}
	}
	slices.Sort(others)
	others = slices.Compact(others)
	if len(others) == 1 && others[0] == "" {
		others = nil
	}
	if host != "" {
		others = append([]string{host}, others...)
	}
	return strings.Join(others, ",")
}

// FuzzCanonicalTags holds the sorted tags of two lines of a batch against the
// naive ones: the second must not spoil the first.
func FuzzCanonicalTags(f *testing.F) {
	for _, tags := range []string{
		"", "a", "a,b", "b,a", "b,a,b,a", ",", ",,a", "a,", "host:web,x", "x,host:web,host:db", "host:,", "dd.internal.card:low,x", "dd.internal.card:low",
		"same.begin.2,same.begin.1,same.begin", "a,a\x00,a\x00\x00", "\xff,\x7f,é", "eight888,eight88,eight8888",
		"z,y,x,w,v,u,t,s,r,q,p,o,n,m,l,k,j,i,h,g,f,e,d,c,b,a,z", "host:b,b,c",
	} {
		f.Add(tags, "b,a")
		f.Add("y,host:h,x", tags)
	}
	r := newKeyring(newSeeds(), 10)
	f.Fuzz(func(t *testing.T, first, second string) {
		r.forgetLessons()
		a, b := r.canonicalTags([]byte(first)), r.canonicalTags([]byte(second))
		if want := naiveTags(first); string(a) != want {
			t.Errorf("%q becomes %q, want %q", first, a, want)
		}
		if want := naiveTags(second); string(b) != want {
			t.Errorf("%q becomes %q behind %q, want %q", second, b, first, want)
		}
	})
}

// TestScratchIsBounded: a batch of long lines leaves no memory behind.
func TestScratchIsBounded(t *testing.T) {
	table := NewTable(config())
	table.Advance(second)
	for i := range 2 * batchLen {
		line := "a:1|c|#z" + strings.Repeat("y", 4000+i) + ",x"
		table.Gather([]byte(line), false)
	}
	table.AddDatagram([]byte("a:1|c|#y,x"), false)
	if n := cap(table.ring.joined); n > scratchLen {
		t.Errorf("%d bytes are kept, want at most %d", n, scratchLen)
	}
	if table.Keys() != 2*batchLen+1 {
		t.Errorf("%d contextKeys, want %d", table.Keys(), 2*batchLen+1)
	}
}

// TestFaultsAmongNewLines: a line that is no message has the fault that Split
// finds, wherever it stands in a batch, and the lines around it count.
func TestFaultsAmongNewLines(t *testing.T) {
	for _, c := range []struct {
		line, why string
		want      dogstatsd.Fault
	}{
		{"nothing", "neither separator", dogstatsd.NoSeparator},
		{"a:1", "no bar", dogstatsd.NoSeparator},
		{"a|c", "no colon", dogstatsd.NoSeparator},
		{"a|b:1|c", "the colon comes too late, though a message seems to follow", dogstatsd.NoSeparator},
		{":1|c", "no name", dogstatsd.EmptyName},
		{"a:|c", "no value", dogstatsd.EmptyValue},
		{"a:::|c", "only colons are no value", dogstatsd.EmptyValue},
		{"a:x|c", "no number", dogstatsd.BadValue},
		{"a:1|q", "no such kind", dogstatsd.UnknownKind},
		{"a:x|q", "the kind is looked at before the value", dogstatsd.UnknownKind},
		{"a:1|ms|T5", "a kind that must be aggregated", dogstatsd.BadTimestampKind},
		{"a:x|ms|T5", "the value is looked at before that", dogstatsd.BadValue},
	} {
		table := NewTable(config())
		table.Advance(second)
		table.AddDatagram([]byte("long.name.before:1|c|#b,a\n"+c.line+"\nafter:1|c|#b,a\n"+c.line+"\nafter:2|c|#a,b"), false)
		if n := table.Counts.Faults[c.want]; n != 2 || table.Counts.Malformed() != 2 || table.Counts.Aggregated != 3 || table.Keys() != 2 {
			t.Errorf("%q (%s): %d lines with the fault %v, want 2: %+v", c.line, c.why, n, c.want, table.Counts)
		}
	}
}
