package harness

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"floodgate/internal/intake"
	"floodgate/internal/record"
	"floodgate/scenarios"
)

// TestIntakeFaults: what a scenario may say, an intake can do. The two floors
// have words of their own, because neither may import the other.
func TestIntakeFaults(t *testing.T) {
	parse := func(text string) scenarios.Intake {
		t.Helper()
		s, err := scenarios.Parse("", []byte("name: x\ngoal: rss_peak\nload: {schedule: {idle: {over: 3s}}}\nintake: "+text+"\n"))
		if err != nil {
			t.Fatal(err)
		}
		return s.Intake
	}
	rec := &record.Record{Seed: 40, Replicate: 2}
	for _, shape := range []intake.LatencyShape{intake.Fixed, intake.Uniform, intake.Exponential} {
		name := string(shape)
		if name == "" {
			name = "fixed"
		}
		got := intakeFaults(parse(fmt.Sprintf("{latency: %s:2ms, errors: {share: 10%%, status: 429}, outage: {from: 1s, for: 2s}, slow_read: 1KiB/s, resets: 5%%}", name)), rec)
		want := intake.Faults{Latency: 2 * time.Millisecond, LatencyShape: shape, ErrorRate: 0.1, ErrorStatus: 429, ResetRate: 0.05, Seed: 42,
			OutageFrom: time.Second, OutageTo: 3 * time.Second, SlowRead: 1024}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		config := intake.Default()
		if config.Faults = got; config.Validate() != nil {
			t.Errorf("%s: %v", name, config.Validate())
		}
	}
	if got, want := intakeFaults(parse("{}"), rec), (intake.Faults{Seed: 42}); got != want {
		t.Errorf("%+v, want nothing but a seed", got)
	}
}

// TestDescribeIntake: a field that is there was asked for.
func TestDescribeIntake(t *testing.T) {
	in, err := intake.New(intake.Default())
	if err != nil {
		t.Fatal(err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if err := in.Run(ended); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		why  string
		in   scenarios.Intake
		want *record.Intake
	}{
		{"nothing", scenarios.Intake{}, nil},
		{"a status alone strikes nothing", scenarios.Intake{ErrorStatus: 503}, nil},
		{"an outage from the first message on", scenarios.Intake{ErrorStatus: 503, OutageFor: time.Second}, &record.Intake{Faults: record.IntakeFaults{OutageFrom: new(float64), OutageTo: 1, Seed: 42}}},
		{"errors", scenarios.Intake{ErrorShare: 0.1, ErrorStatus: 503, OutageFrom: 9}, &record.Intake{Faults: record.IntakeFaults{ErrorShare: 0.1, ErrorStatus: 503, Seed: 42}}},
	} {
		s := &session{scenario: &scenarios.Scenario{Intake: c.in}, record: &record.Record{Seed: 40, Replicate: 2}, intake: in}
		s.describeIntake()
		if diff := cmp.Diff(c.want, s.record.Intake); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.why, diff)
		}
	}
	early := &session{scenario: &scenarios.Scenario{Intake: scenarios.Intake{OutageFor: 1}}, record: &record.Record{}}
	if early.describeIntake(); early.record.Intake != nil {
		t.Error("an intake that never was did something")
	}
}
