package loadgen

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// maxExpansion bounds what one pattern stands for.
const maxExpansion = 1 << 20

// expand spells a pattern out: {0..9} stands for each number of the range, with
// as many digits as its first end is written with ({00..23}), and {a,b,c} for
// each of the words. Several braces stand for every combination, the last one
// changing fastest. Text without braces stands for itself.
func expand(pattern string) ([]string, error) {
	before, rest, found := strings.Cut(pattern, "{")
	if !found {
		if strings.Contains(pattern, "}") {
			return nil, fmt.Errorf("cannot read pattern %q: want a { before each }", pattern)
		}
		return []string{pattern}, nil
	}
	inside, after, found := strings.Cut(rest, "}")
	if !found || strings.ContainsAny(inside, "{") || strings.Contains(before, "}") {
		return nil, fmt.Errorf("cannot read pattern %q: want each { closed by a }, and none within another", pattern)
	}
	words, err := alternatives(inside)
	if err != nil {
		return nil, fmt.Errorf("cannot read pattern %q: %w", pattern, err)
	}
	ends, err := expand(after)
	if err != nil {
		return nil, err
	}
	if len(words)*len(ends) > maxExpansion {
		return nil, fmt.Errorf("cannot use pattern %q: it stands for more than %d texts", pattern, maxExpansion)
	}
	all := make([]string, 0, len(words)*len(ends))
	for _, w := range words {
		for _, e := range ends {
			all = append(all, before+w+e)
		}
	}
	return all, nil
}

// alternatives is what the inside of a brace stands for.
func alternatives(inside string) ([]string, error) {
	first, last, isRange := strings.Cut(inside, "..")
	if !isRange {
		words := strings.Split(inside, ",")
		if len(words) < 2 {
			return nil, errors.New("want a range such as {0..9} or words such as {a,b} in the braces")
		}
		return words, nil
	}
	from, err1 := strconv.ParseUint(first, 10, 31)
	to, err2 := strconv.ParseUint(last, 10, 31)
	if err1 != nil || err2 != nil || from > to || to-from >= maxExpansion {
		return nil, fmt.Errorf("{%s} is no range: want two whole numbers, the first not above the second, at most %d apart", inside, maxExpansion)
	}
	var words []string
	for n := from; n <= to; n++ {
		words = append(words, string(appendPadded(nil, int(n), min(len(first), maxPad))))
	}
	return words, nil
}

// expandAll is the texts of several patterns, which must differ and must not
// hold what the wire format gives a meaning to.
func expandAll(patterns []string, forbidden string) ([]string, error) {
	seen := map[string]bool{}
	var all []string
	for _, p := range patterns {
		texts, err := expand(p)
		if err != nil {
			return nil, err
		}
		for _, t := range texts {
			switch {
			case t == "" || strings.ContainsAny(t, forbidden):
				return nil, fmt.Errorf("cannot use %q from pattern %q: want text without any of %q", t, p, forbidden)
			case seen[t]:
				return nil, fmt.Errorf("cannot use pattern %q: %q is there twice", p, t)
			case len(all) == maxExpansion:
				return nil, fmt.Errorf("cannot use pattern %q: there are more than %d texts", p, maxExpansion)
			}
			seen[t] = true
			all = append(all, t)
		}
	}
	return all, nil
}
