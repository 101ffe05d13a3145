package main

import (
	"math"
	"strings"
	"testing"

	"floodgate/scenarios"
)

// Percentages mean what they say, up to the ends of what is allowed, on the command
// line and in floodgate.yaml.
func TestJudgeOptions(t *testing.T) {
	for _, c := range []struct {
		confidence, tolerance float64 // percent
		want, most            float64 // shares
		fault, why            string
	}{
		{90, 5, 0.9, 0.05, "", "the defaults"},
		{50, 0, 0.5, 0, "", "the least"},
		{99.9, 99.9, 0.999, 0.999, "", "the most, where a division rounds up"},
		{95.1, 0.1, 0.951, 0.001, "", "a division rounds down"},
		{100. / 3 * 2, 5, 0.666666666667, 0.05, "", "twelve digits are enough"},
		{99.91, 5, 0, 0, "--confidence is 99.91, allowed are 50 to 99.9 percent", "a little too much"},
		{49.9, 5, 0, 0, "--confidence is 49.9", "too little"},
		{math.NaN(), 5, 0, 0, "confidence of NaN", "no number"},
		{90, 100, 0, 0, "--tolerance is 100, allowed are 0 to below 100 percent", "everything would be tolerated"},
		{90, -1, 0, 0, "--tolerance is -1", "nothing is smaller than no change"},
	} {
		f := defaultJudgeFlags()
		f.color, f.confidence, f.tolerance = "auto", c.confidence, c.tolerance
		o, err := f.options()
		if c.fault != "" {
			if err == nil || !strings.Contains(err.Error(), c.fault) {
				t.Errorf("%s: %v, want %q", c.why, err, c.fault)
			}
			continue
		}
		if err != nil || o.Confidence != c.want || o.Tolerance != c.most {
			t.Errorf("%s: %v, %v, %v; want %v and %v", c.why, o.Confidence, o.Tolerance, err, c.want, c.most)
		}
	}
	p, err := scenarios.ParseProject("floodgate.yaml", []byte("judge: {confidence: 99.9%, tolerance: 99.9%}\n"))
	if err != nil {
		t.Fatal(err)
	}
	f := defaultJudgeFlags()
	f.color, f.confidence, f.tolerance = "auto", 100**p.Confidence, 100**p.Tolerance
	if o, err := f.options(); err != nil || o.Confidence != 0.999 || o.Tolerance != 0.999 {
		t.Errorf("out of a project: %v, %v, %v", o.Confidence, o.Tolerance, err)
	}
}
