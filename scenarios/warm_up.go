package scenarios

import "fmt"

// warmUpRule refuses a warm-up that leaves nothing to measure, or that cannot be
// left out exactly.
func (r *reader) warmUpRule(s *Scenario) {
	line, ok := r.sound("load.warm_up")
	if !ok || s.Load.WarmUp == 0 {
		return
	}
	refuse := func(format string, args ...any) { r.add(line, "load.warm_up: "+format, args...) }
	_, scheduled := r.sound("load.schedule")
	switch l := &s.Load; {
	case l.Replay != nil:
		refuse("how long a replay lasts is in its file: leave it out, or write a schedule")
	case !scheduled:
	case l.Schedule.Count == 0:
		refuse("the idle schedule sends no message: leave it out")
	case l.WarmUp >= l.Schedule.Over:
		refuse("%v is not shorter than the schedule, which lasts %v: want less, so that there is something to measure", l.WarmUp, l.Schedule.Over)
	}
	if s.Order == Woven && !r.bad["order"] {
		refuse("in woven pairs a reading falls into the middle of a slice, and cannot end it: leave it out, or say order: blocks")
	}
}

// WarmedUp says after which warm-up of the load a measure counts, such as "after
// a warm-up of 1s"; it is empty for a measure that counts the whole load.
func (s *Scenario) WarmedUp(measure string) string {
	if s.Load.WarmUp == 0 || measure != "cpu_per_message" && measure != "flush_cpu_per_message" {
		return ""
	}
	return fmt.Sprintf("after a warm-up of %v", s.Load.WarmUp)
}
