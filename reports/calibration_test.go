package reports

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"floodgate/internal/record"
	"floodgate/regress"
	"floodgate/regress/calibration"
	"floodgate/scenarios"
)

// calibrationFixture has blocks and two slices with nothing planted and with
// 2 %. The longer slice's last pairs are missing.
func calibrationFixture(t *testing.T) Calibration {
	t.Helper()
	s, err := scenarios.Find("packed_steady_cpu")
	if err != nil {
		t.Fatal(err)
	}
	s.Slice = 50 * time.Millisecond // whatever the file says
	arms, err := calibration.Arms(s, true, []time.Duration{50 * time.Millisecond, 200 * time.Millisecond}, []float64{2})
	if err != nil {
		t.Fatal(err)
	}
	steal := 0.004
	rng := rand.New(rand.NewPCG(5, 6))
	var records []*record.Record
	for i, arm := range arms {
		spread := []float64{0.14, 0.02, 0.04}[i%3]
		for pair := range 10 {
			if i == 5 && pair > 6 {
				break
			}
			d := math.Log1p(arm.Planted) + spread*rng.NormFloat64()
			for k, role := range []string{record.Baseline, record.Candidate} {
				records = append(records, &record.Record{
					Schema: record.Schema, Scenario: arm.Copy.Name, Replicate: pair, Variant: record.Variant{Role: role, Spec: "refserver"},
					Order: record.Order{First: []string{record.Baseline, record.Candidate}[(pair+pair/2)%2], Position: 2*pair + k},
					Build: record.Build{TargetDigest: "0123456789abcdef0123456789abcdef"}, Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
					Environment: record.Environment{OS: "linux", Arch: "amd64", Kernel: "6.1.0", CPUModel: "Example CPU @ 2.5 GHz", Cores: 2, MemoryBytes: 8 << 30, StealFraction: &steal},
					Phases:      []record.Phase{{Name: record.PhaseStopping, Start: 5, Duration: 0.25}},
					Measures:    []record.Measure{{Name: s.Goal.Name, Value: rounding(1e-7 * math.Exp(float64(k)*d))}},
				})
			}
		}
	}
	return Calibration{Command: "floodgate calibrate packed_steady_cpu --slices 50ms,200ms --planted 2", Version: "v0.1.0",
		Calibration: calibration.Of(calibration.Input{Scenario: s, Arms: arms, Pairs: 10, Records: records, Options: regress.DefaultOptions()})}
}

// TestCalibrationGoldens shows a calibration as people see it.
func TestCalibrationGoldens(t *testing.T) {
	c := calibrationFixture(t)
	for name, write := range map[string]func(io.Writer, Calibration) error{
		"calibration.txt":  func(w io.Writer, c Calibration) error { return CalibrationTerminal(w, c, TerminalOptions{Width: 160}) },
		"calibration.md":   CalibrationMarkdown,
		"calibration.html": CalibrationHTML,
		"calibration.json": CalibrationJSON,
		"calibration.svg":  CalibrationSVG,
	} {
		var b bytes.Buffer
		if err := write(&b, c); err != nil {
			t.Fatal(err)
		}
		if *keep != "" {
			if err := os.WriteFile(filepath.Join(*keep, name), b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		whole := b.Bytes()
		switch name {
		case "calibration.html":
			charts := 0
			for _, e := range parse(t, whole) {
				if e.name == "svg" {
					charts++
				}
				if e.name == "script" || e.name == "link" || e.name == "img" || e.attr["src"] != "" {
					t.Errorf("the page has a <%s>, which may load something", e.name)
				}
			}
			if charts != len(trendLayouts) {
				t.Errorf("%d charts", charts)
			}
			for _, e := range elided {
				whole = e.pattern.ReplaceAll(whole, []byte(e.by))
			}
		case "calibration.svg":
			wellFormed(t, whole)
			if !bytes.Contains(whole, []byte("--candidate: #")) || !bytes.Contains(whole, []byte(".s-candidate {")) || bytes.Contains(whole, []byte(".narrow")) {
				t.Error("the picture lacks its colours, or has more of the page's style than them")
			}
			continue // the page's golden shows its text
		case "calibration.json":
			var doc calibrationDocument
			if err := json.Unmarshal(whole, &doc); err != nil || len(doc.Arms) != 6 || doc.Arms[5].Spread == nil || doc.Missing != 3 {
				t.Errorf("it reads as %+v: %v", doc, err)
			}
			continue
		}
		golden(t, name, whole)
	}
}

func wellFormed(t *testing.T, text []byte) {
	t.Helper()
	for d := xml.NewDecoder(bytes.NewReader(text)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("the picture is no XML: %v", err)
		}
	}
}

// TestCalibrationOfNothing: no records, and hostile names, break no format.
func TestCalibrationOfNothing(t *testing.T) {
	whole := calibrationFixture(t)
	var arms []calibration.Arm
	for _, r := range whole.Rows {
		arms = append(arms, r.Arm)
	}
	bare := Calibration{Command: "\x1b[31m<b>|`", Calibration: calibration.Of(calibration.Input{Scenario: whole.Scenario, Arms: arms, Pairs: 10, Options: whole.Options})}
	for what, c := range map[string]Calibration{"no records": bare, "no arms": {}} {
		for name, write := range map[string]func(io.Writer, Calibration) error{
			"txt": func(w io.Writer, c Calibration) error { return CalibrationTerminal(w, c, TerminalOptions{}) },
			"md":  CalibrationMarkdown, "html": CalibrationHTML, "json": CalibrationJSON, "svg": CalibrationSVG,
		} {
			var b bytes.Buffer
			if err := write(&b, c); err != nil {
				t.Errorf("%s: %v", what, err)
			}
			text := b.String()
			if strings.Contains(text, "NaN") || strings.Contains(text, "\x1b") || name == "html" && strings.Contains(text, "<b>") {
				t.Errorf("%s as %s: %s", what, name, text)
			}
		}
	}
}

// TestCalibrationInPages: what stands between the markers of a page is generated;
// a marker that went astray would make text part of it.
func TestCalibrationInPages(t *testing.T) {
	text, err := os.ReadFile("../docs/weaving.md")
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(text), CalibrationBegin)
	if len(parts) < 2 || strings.Contains(parts[0], CalibrationEnd) {
		t.Fatal("the page has no block, or one that ends before it begins")
	}
	for _, part := range parts[1:] {
		block, _, ended := strings.Cut(part, CalibrationEnd)
		if !ended || strings.Count(part, CalibrationEnd) != 1 || strings.Contains(block, "\n## ") {
			t.Errorf("a block does not end: %.80q", part)
		}
	}
}
