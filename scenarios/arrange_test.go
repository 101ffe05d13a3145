package scenarios

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestArranged: only name, order and slice differ, also in what a record keeps.
func TestArranged(t *testing.T) {
	for _, name := range []string{"packed_steady_cpu", "burst_300k", "mixed_kinds"} {
		s, err := Find(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			order Order
			slice time.Duration
		}{{Woven, 25 * time.Millisecond}, {Blocks, 0}} {
			copied, err := s.Arranged(name+"_other", c.order, c.slice)
			if err != nil {
				t.Fatal(err)
			}
			again, err := Parse(copied.File, copied.Source)
			if err != nil || !cmp.Equal(again, copied) {
				t.Errorf("%s: its source does not read as the copy: %v %s", name, err, cmp.Diff(again, copied))
			}
			if copied.File != "scenarios/"+name+"_other.yaml" || copied.Order != c.order || c.order == Woven && copied.Slice != c.slice {
				t.Errorf("%s: %s, %s, %v", name, copied.File, copied.Order, copied.Slice)
			}
			copied.Name, copied.Order, copied.Slice, copied.File, copied.Source = s.Name, s.Order, s.Slice, s.File, s.Source
			for i := range copied.Checks {
				copied.Checks[i].Line = s.Checks[i].Line
			}
			if !cmp.Equal(copied, s) {
				t.Errorf("%s in order %s: something else has changed: %s", name, c.order, cmp.Diff(s, copied))
			}
		}
	}
}

// TestArrangedRefuses: what a scenario does not allow is a fault, as in its file.
func TestArrangedRefuses(t *testing.T) {
	idle, err := Find("idle")
	if err != nil {
		t.Fatal(err)
	}
	burst, err := Find("burst_300k")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		why   string
		s     Scenario
		name  string
		slice time.Duration
	}{
		{"there is no load to alternate", idle, "x", 50 * time.Millisecond},
		{"the slice is too short", burst, "x", time.Millisecond},
		{"no name", burst, "1x", 50 * time.Millisecond},
	} {
		var faults *FaultError
		if _, err := c.s.Arranged(c.name, Woven, c.slice); !errors.As(err, &faults) {
			t.Errorf("%s: %v", c.why, err)
		}
	}
}
