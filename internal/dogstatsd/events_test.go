package dogstatsd

import (
	"fmt"
	"testing"
)

func TestParseEvent(t *testing.T) {
	for _, c := range []struct {
		line, why string
		want      string // title/text/timestamp/host/key/priority/source/alert/tags; empty for a fault
	}{
		{`_e{1,1}:a|b`, "the least an event can be", "a/b/0//////"},
		{`_e{1,0}:a|`, "the text may be empty", "a//0//////"},
		{`_e{3,4}:a|b|c|d|`, "lengths, not separators, end title and text", "a|b/c|d|/0//////"},
		{`_e{2,6}:é|a\nb\n`, "lengths are bytes, of the text as escaped", "é/a\nb\n/0//////"},
		{`_e{1,1}:a|b|d:12|h:here|k:key|p:low|s:src|t:error|#x,y:z|c:id|e:x|card:low`, "every section", "a/b/12/here/key/low/src/error/x,y:z"},
		{`_e{1,1}:a|b|#x|t:info|d:1`, "in any order", "a/b/1/////info/x"},
		{`_e{1,1}:a|b|d:x|p:high|t:fatal|zz|`, "what cannot be read of them is ignored", "a/b/0//////"},
		{`_e{0,1}:|b`, "an event has a title", ""},
		{`_e{1,5}:a|b`, "a text shorter than it says was cut off", ""},
		{`_e{1,1}:a|bc`, "one longer than it says was damaged", ""},
		{`_e{2,1}:a|b`, "so was a title that does not end where it says", ""},
		{`_e{1}:a|b`, "both lengths are needed", ""},
		{`_e{1,-1}:a|b`, "and they are no negative numbers", ""},
		{`_e{1,99999999999}:a|b`, "nor absurd ones", ""},
		{`_e{1,1}a|b`, "the colon belongs to it", ""},
		{`_e{`, "a stump", ""},
	} {
		e, fault := ParseEvent([]byte(c.line))
		got := ""
		if fault == NoFault {
			got = fmt.Sprintf("%s/%s/%d/%s/%s/%s/%s/%s/%s", e.Title, e.Text, e.Timestamp, e.Host, e.AggregationKey, e.Priority, e.SourceType, e.AlertType, e.Tags)
		} else if fault != BadEvent {
			t.Errorf("%s: fault %v, want %v", c.line, fault, BadEvent)
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q: %s", c.line, got, c.want, c.why)
		}
	}
}

func TestParseServiceCheck(t *testing.T) {
	for _, c := range []struct {
		line, why string
		want      string // name/status/timestamp/host/tags/message; empty for a fault
	}{
		{`_sc|a.b|0`, "the least a service check can be", "a.b/0/0///"},
		{`_sc|a|3|d:12|h:here|#x,y:z|m:all\nwell`, "every section", "a/3/12/here/x,y:z/all\nwell"},
		{`_sc|a|1|m:first|#x`, "a message need not come last", "a/1/0//x/first"},
		{`_sc|a|2|d:x|zz`, "what cannot be read is ignored", "a/2/0///"},
		{`_sc|a`, "a status is needed", ""},
		{`_sc||0`, "a name too", ""},
		{`_sc|a|4`, "there are four statuses", ""},
		{`_sc|a|01`, "of one digit", ""},
	} {
		s, fault := ParseServiceCheck([]byte(c.line))
		got := ""
		if fault == NoFault {
			got = fmt.Sprintf("%s/%d/%d/%s/%s/%s", s.Name, s.Status, s.Timestamp, s.Host, s.Tags, s.Message)
		} else if fault != BadServiceCheck {
			t.Errorf("%s: fault %v, want %v", c.line, fault, BadServiceCheck)
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q: %s", c.line, got, c.want, c.why)
		}
	}
}

func FuzzEventsAndChecks(f *testing.F) {
	f.Add([]byte(`_e{1,1}:a|b|#x`))
	f.Add([]byte(`_sc|a|0|m:x`))
	f.Fuzz(func(t *testing.T, line []byte) {
		if IsEvent(line) {
			if e, fault := ParseEvent(line); fault == NoFault && len(e.Title) == 0 {
				t.Errorf("%q: an event without a title", line)
			}
		}
		if IsServiceCheck(line) {
			if c, fault := ParseServiceCheck(line); fault == NoFault && (len(c.Name) == 0 || c.Status < 0 || c.Status > 3) {
				t.Errorf("%q: %+v", line, c)
			}
		}
	})
}
