package scenarios

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// operators are the comparisons of a check.
var operators = []string{"<=", ">=", "=="}

var asShare = form{tagsOfText, "all, or such as 9 of 10"}

// checks reads the list of checks. An item is the check itself, or a mapping
// that says more about it.
func (r *reader) checks(to *[]Check, v value) {
	r.list(v, `checks such as "lost_messages <= 0"`, func(v value) {
		var c Check
		var replicas Share
		informational, before := false, r.total
		if v.node.Kind == yaml.MappingNode {
			r.mapping(v,
				field{"check", true, scalarInto(r, &c, asCheck, parseCheck)},
				field{"replicas", false, scalarInto(r, &replicas, asShare, parseShare)},
				field{"informational", false, scalarInto(r, &informational, asBool, boolean)},
			)
		} else {
			scalarInto(r, &c, asCheck, parseCheck)(v)
		}
		if r.total != before {
			return
		}
		c.Replicas, c.Informational, c.Line = replicas, informational, v.line
		twice := slices.IndexFunc(*to, func(o Check) bool { return o.Measure.Name == c.Measure.Name && o.Op == c.Op })
		if twice >= 0 {
			r.add(v.line, "%s: %s is limited by %s already in line %d: want one bound", v.path, c.Measure.Name, c.Op, (*to)[twice].Line)
			return
		}
		*to = append(*to, c)
	})
}

// parseCheck reads a check: measure, operator, bound.
func parseCheck(text string) (Check, error) {
	start := strings.IndexAny(text, "<>=!")
	if start < 0 {
		return Check{}, fmt.Errorf(`%q is no check: want a measure, one of %s, and a bound, such as "rss_peak <= 64MiB"`, clip(text), strings.Join(operators, " "))
	}
	rest := strings.TrimLeft(text[start:], "<>=!")
	op := text[start : len(text)-len(rest)]
	if !slices.Contains(operators, op) {
		return Check{}, fmt.Errorf("%q is no comparison: want one of %s", clip(op), strings.Join(operators, " "))
	}
	m, reduced, err := parseQuantityName(strings.TrimSpace(text[:start]))
	if err != nil {
		return Check{}, err
	}
	bound, err := ParseQuantity(strings.TrimSpace(rest), m.Unit)
	if err != nil {
		return Check{}, fmt.Errorf("bound of %s: %w", m.Name, err)
	}
	return Check{Measure: m, Reduced: reduced, Op: op, Bound: bound}, nil
}

// Share is how many replicates must keep a bound: K of every N. The zero value
// asks for all of them.
type Share struct{ K, N int }

// All reports whether every replicate must keep the bound.
func (s Share) All() bool { return s.K == s.N }

// Of returns how many of total replicates must keep the bound. It rounds up, so
// that another number of replicates never makes a check more lenient than it
// was written.
func (s Share) Of(total int) int {
	if s.All() {
		return total
	}
	return (s.K*total + s.N - 1) / s.N
}

// String is the share as people write it: "all", "9 of 10".
func (s Share) String() string {
	if s.All() {
		return "all"
	}
	return fmt.Sprintf("%d of %d", s.K, s.N)
}

var sharePattern = regexp.MustCompile(`^([1-9][0-9]{0,3}) of ([1-9][0-9]{0,3})$`)

// parseShare reads all, or k of n.
func parseShare(text string) (Share, error) {
	if text == "all" {
		return Share{}, nil
	}
	parts := sharePattern.FindStringSubmatch(text)
	if parts == nil {
		return Share{}, fmt.Errorf("%q is no number of replicates: want all, or such as 9 of 10", clip(text))
	}
	k, _ := strconv.Atoi(parts[1]) // the pattern has digits alone
	n, _ := strconv.Atoi(parts[2])
	if k > n || n > maxReplicates {
		return Share{}, fmt.Errorf("%q cannot be: want k of n with k at most n and n at most %d", clip(text), maxReplicates)
	}
	if k == n {
		return Share{}, nil
	}
	return Share{k, n}, nil
}
