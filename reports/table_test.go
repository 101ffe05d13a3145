package reports

import (
	"strings"
	"testing"
)

// TestRowsStayDistinct: a table that is too wide is narrowed only as far as its
// rows can be told apart.
func TestRowsStayDistinct(t *testing.T) {
	for _, c := range []struct{ why, first, second, want string }{
		{"what differs at the end is kept", "refserver:flush=async-copy", "refserver:flush=sync", "refserver:flush=a…"},
		{"what differs at the beginning is cut", "a-server-with-a-long-name", "b-server-with-a-long-name", "a-server-wi…"},
		{"the same twice is no reason to widen", "a-server-with-a-long-name", "a-server-with-a-long-name", "a-server-wi…"},
	} {
		table := textTable{head: []string{"server", "figure"}, give: []int{0}, rows: []textRow{
			{cells: []string{c.first, "1"}}, {cells: []string{c.second, "2"}},
		}}
		got := strings.Fields(table.lines(20, style{})[1])[0]
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.why, got, c.want)
		}
	}
}
