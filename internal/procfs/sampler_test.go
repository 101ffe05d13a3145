package procfs

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// script is a source that does as it is told.
type script struct {
	readings int     // after these the process is gone; 0 is never
	fails    int     // the reading, from 1, without a memory figure; 0 is none
	never    columns // never meant anything
	taken    int
	closed   bool
}

func (s *script) read(r *Reading) (columns, error) {
	s.taken++
	if s.readings > 0 && s.taken > s.readings {
		return 0, os.ErrProcessDone
	}
	r.CPU = time.Duration(s.taken)
	if s.taken == s.fails {
		return columnCPU | columnSocket, nil
	}
	return columnCPU | columnMemory | columnSocket, nil
}

func (s *script) summary() (columns, []string) { return s.never, nil }

func (s *script) Close() error {
	s.closed = true
	return nil
}

// newScripted is a Sampler, 100 ms, of src.
func newScripted(t *testing.T, src *script, limit int, onTick func(context.Context, time.Time)) *Sampler {
	t.Helper()
	s, err := NewSampler(Config{PID: 1, Interval: 100 * time.Millisecond, Limit: limit, OnTick: onTick})
	if err != nil {
		t.Fatal(err)
	}
	s.open = func(int, int) (source, error) { return src, nil }
	return s
}

// offsets are the moments of the readings, in ms since the first one.
func offsets(readings []Reading) []int64 {
	var ms []int64
	for _, r := range readings {
		ms = append(ms, r.At.Sub(readings[0].At).Milliseconds())
	}
	return ms
}

func TestSamplerKeepsToTheGrid(t *testing.T) {
	tests := []struct {
		why    string
		delays []int // of OnTick at each reading, in ms
		until  int   // ms until the context ends
		want   []int64
		missed int
	}{
		{"undisturbed", nil, 350, []int64{0, 100, 200, 300}, 0},
		{"a delay within the interval moves nothing", []int{30, 99, 0}, 350, []int64{0, 100, 200, 300}, 0},
		{"a long one costs ticks, and the grid stays", []int{0, 250}, 550, []int64{0, 100, 400, 500}, 2},
		{"a tick that has just passed is given up", []int{100}, 250, []int64{0, 200}, 1},
	}
	for _, test := range tests {
		t.Run(test.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				src, ticks := &script{}, 0
				s := newScripted(t, src, 100, func(_ context.Context, at time.Time) {
					if ticks < len(test.delays) {
						<-time.After(time.Duration(test.delays[ticks]) * time.Millisecond)
					}
					ticks++
				})
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(test.until)*time.Millisecond)
				defer cancel()
				if err := s.Run(ctx); err != nil {
					t.Fatal(err)
				}
				got := s.Result()
				if diff := cmp.Diff(test.want, offsets(got.Readings)); diff != "" {
					t.Errorf("readings (-want +got):\n%s", diff)
				}
				if got.Missed != test.missed || got.Gone || got.Full {
					t.Errorf("missed %d, gone %v, full %v; want %d missed", got.Missed, got.Gone, got.Full, test.missed)
				}
				if ticks != len(got.Readings) {
					t.Errorf("OnTick was called %d times for %d readings", ticks, len(got.Readings))
				}
				if !src.closed {
					t.Error("the source was left open")
				}
			})
		})
	}
}

func TestSamplerSaysWhyItEnded(t *testing.T) {
	tests := []struct {
		why        string
		src        script
		limit      int
		readings   int
		gone, full bool
	}{
		{"the process ended", script{readings: 3}, 10, 3, true, false},
		{"the process ended at once", script{readings: 1, taken: 1}, 10, 0, true, false},
		{"no room for more", script{}, 4, 4, false, true},
	}
	for _, test := range tests {
		synctest.Test(t, func(t *testing.T) {
			s := newScripted(t, &test.src, test.limit, nil)
			if err := s.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			got := s.Result()
			if len(got.Readings) != test.readings || got.Gone != test.gone || got.Full != test.full {
				t.Errorf("%s: %d readings, gone %v, full %v", test.why, len(got.Readings), got.Gone, got.Full)
			}
			if cap(got.Readings) != test.limit {
				t.Errorf("%s: room for %d readings, want %d from the start", test.why, cap(got.Readings), test.limit)
			}
		})
	}
}

func TestSamplerOfAProcessThatNeverWas(t *testing.T) {
	s := newScripted(t, nil, 1, nil)
	s.open = func(int, int) (source, error) { return nil, os.ErrProcessDone }
	if err := s.Run(t.Context()); err != nil || !s.Result().Gone {
		t.Errorf("%v, gone %v; want gone without an error", err, s.Result().Gone)
	}
	s.open = func(int, int) (source, error) { return nil, os.ErrPermission }
	if err := s.Run(t.Context()); !errors.Is(err, os.ErrPermission) {
		t.Errorf("error %v, want the cause", err)
	}
}

// A quantity with a hole would be read as a zero, so the whole of it is absent.
func TestSamplerLeavesOutWhatItCouldNotMeasure(t *testing.T) {
	tests := []struct {
		why                 string
		src                 script
		cpu, memory, socket bool
	}{
		{"everything was read", script{readings: 3}, true, true, true},
		{"one reading failed", script{readings: 3, fails: 2}, true, false, true},
		{"the port had no socket", script{readings: 3, never: columnSocket}, true, true, false},
		{"there was no reading", script{readings: 1, taken: 1}, false, false, false},
	}
	for _, test := range tests {
		synctest.Test(t, func(t *testing.T) {
			s := newScripted(t, &test.src, 10, nil)
			if err := s.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			got := s.Result()
			if got.CPU != test.cpu || got.Memory != test.memory || got.Socket != test.socket {
				t.Errorf("%s: CPU %v, memory %v, socket %v", test.why, got.CPU, got.Memory, got.Socket)
			}
		})
	}
}

func TestConfigNamesEveryFault(t *testing.T) {
	_, err := NewSampler(Config{Port: 70000, Limit: -1})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"pid is 0", "port is 70000", "interval is 0s", "limit is -1"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not name %q", err, want)
		}
	}
	c := Default()
	c.PID = 1
	if err := c.Validate(); err != nil {
		t.Errorf("the default with a pid: %v", err)
	}
}
