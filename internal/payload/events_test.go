package payload

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var (
	wholeEvent = Event{Title: "t", Text: "line\nline", Timestamp: 5, Host: "h", Priority: "low", AlertType: "error", AggregationKey: "k", SourceType: "s", Tags: []string{"a:1", ""}}
	wholeCheck = ServiceCheck{Name: "n", Host: "h", Status: 2, Timestamp: 5, Tags: []string{"a:1", ""}, Message: "m"}
)

func TestAppendEventsAndServiceChecks(t *testing.T) {
	for _, test := range []struct {
		why       string
		got, want string
	}{
		{"a whole event", string(AppendEvent([]byte("x"), &wholeEvent)),
			`x{"msg_title":"t","msg_text":"line\nline","timestamp":5,"host":"h","priority":"low","alert_type":"error","aggregation_key":"k","source_type_name":"s","tags":["a:1",""]}`},
		{"a bare event", string(AppendEvent(nil, &Event{})), `{"msg_title":"","msg_text":""}`},
		{"a whole service check", string(AppendServiceCheck([]byte("x"), &wholeCheck)),
			`x{"check":"n","status":2,"host_name":"h","timestamp":5,"message":"m","tags":["a:1",""]}`},
		{"a bare service check: ok is a status", string(AppendServiceCheck(nil, &ServiceCheck{Name: "n"})), `{"check":"n","status":0}`},
	} {
		if test.got != test.want {
			t.Errorf("%s: got %s, want %s", test.why, test.got, test.want)
		}
	}
}

func eventsOf(decode func(io.Reader, func(*Event) error) (int, error), body string) (all []Event, err error) {
	n, err := decode(strings.NewReader(body), func(e *Event) error { all = append(all, *e); return nil })
	if n != len(all) {
		return all, errors.New("the number of events is wrong")
	}
	return all, err
}

func checksOf(body string) (all []ServiceCheck, err error) {
	n, err := DecodeServiceChecks(strings.NewReader(body), func(c *ServiceCheck) error { all = append(all, *c); return nil })
	if n != len(all) {
		return all, errors.New("the number of service checks is wrong")
	}
	return all, err
}

func TestDecodeEvents(t *testing.T) {
	for _, test := range []struct {
		why, body string
		want      []Event
	}{
		{"the shape of the agent, in groups by source", `{"apiKey":"x","events":{"api":[{"msg_title":"a","unknown":[1]}],"jenkins":[{"msg_title":"b","tags":null}]},"internalHostname":"h"}`,
			[]Event{{Title: "a"}, {Title: "b"}}},
		{"what we write", EventsOpen + string(AppendEvent(nil, &wholeEvent)) + EventsClose, []Event{wholeEvent}},
		{"no events: what an agent tells of its host", `{"agentVersion":"7","meta":{"a":[1,2]}}`, nil},
		{"nulls", `{"events":null}`, nil},
		{"an empty group", `{"events":{"api":[]}}`, nil},
	} {
		got, err := eventsOf(DecodeEvents, test.body)
		if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", test.why, err, diff)
		}
	}
	got, err := eventsOf(DecodeEvent, `{"title":"t","text":"x","date_happened":5,"host":"h","priority":"low","source_type_name":"s"}`)
	if diff := cmp.Diff([]Event{{Title: "t", Text: "x", Timestamp: 5, Host: "h", Priority: "low", SourceType: "s"}}, got); err != nil || diff != "" {
		t.Errorf("a single event: %v (-want +got):\n%s", err, diff)
	}
}

func TestDecodeServiceChecks(t *testing.T) {
	got, err := checksOf(ChecksOpen + string(AppendServiceCheck(nil, &wholeCheck)) + `,{"check":"n","status":0,"more":{}}` + ChecksClose)
	if diff := cmp.Diff([]ServiceCheck{wholeCheck, {Name: "n"}}, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestEventsAndServiceChecksRefused(t *testing.T) {
	events := func(body string) error { _, err := eventsOf(DecodeEvents, body); return err }
	event := func(body string) error { _, err := eventsOf(DecodeEvent, body); return err }
	checks := func(body string) error { _, err := checksOf(body); return err }
	for _, test := range []struct {
		why    string
		decode func(string) error
		body   string
		text   string
	}{
		{"no title", events, `{"events":{"api":[{"msg_title":"a"},{"msg_text":"x"}]}}`, "cannot decode event 2, at byte 52 of the body: the event has no title"},
		{"a list in place of groups", events, `{"events":[]}`, "want '{'"},
		{"a fraction of a second", events, `{"events":{"api":[{"msg_title":"a","timestamp":1.5}]}}`, "cannot unmarshal"},
		{"cut", events, `{"events":{"api":[{"msg_title":"a"}`, "unexpected EOF"},
		{"empty", events, ``, "unexpected EOF"},
		{"a comma too many", events, `{"events":{"api":[],}}`, "invalid character"},
		{"more behind it", events, `{} {}`, "want the end of the body"},
		{"two single events", event, `{"title":"a"}{"title":"b"}`, "want the end of the body"},
		{"an empty event", event, `{}`, "the event has no title"},
		{"a check without a name", checks, `[{"status":1}]`, "cannot decode service check 1, at byte 13 of the body: the service check has no name"},
		{"a check without a status", checks, `[{"check":"n"}]`, "has no status"},
		{"an unknown status", checks, `[{"check":"n","status":4}]`, "status 4 is unknown"},
		{"no list", checks, `{"check":"n","status":0}`, "want '['"},
		{"a comma missing", checks, `[{"check":"n","status":0}{"check":"n","status":0}]`, "expected comma"},
	} {
		if err := test.decode(test.body); err == nil || !strings.Contains(err.Error(), test.text) {
			t.Errorf("%s: got %v, want %q", test.why, err, test.text)
		}
	}
	enough := errors.New("enough")
	if n, err := DecodeServiceChecks(strings.NewReader(`[{"check":"n","status":0}]`), func(*ServiceCheck) error { return enough }); n != 0 || err != enough {
		t.Errorf("an error of visit: %d, %v, want it bare", n, err)
	}
	broken := errors.New("broken")
	if _, err := DecodeEvents(io.MultiReader(strings.NewReader(`{}`), iotest.ErrReader(broken)), nil); !errors.Is(err, broken) {
		t.Errorf("an error of the reader behind the body: %v, want it", err)
	}
}

func FuzzEventRoundTrip(f *testing.F) {
	f.Add("t", "x", int64(1), "h", "low", "info", "k", "s", "a,b")
	f.Add("\xff\"\n", "\x00\u2028", int64(-1), "", "", "", "", "", ",")
	f.Fuzz(func(t *testing.T, title, text string, timestamp int64, host, priority, alert, key, source, tagList string) {
		tags := strings.Split(tagList, ",")
		e := Event{Title: title, Text: text, Timestamp: timestamp, Host: host, Priority: priority, AlertType: alert, AggregationKey: key, SourceType: source, Tags: tags}
		c := ServiceCheck{Name: title, Message: text, Timestamp: timestamp, Host: host, Status: len(text) % 4, Tags: tags}
		events, checks := EventsOpen+string(AppendEvent(nil, &e))+EventsClose, ChecksOpen+string(AppendServiceCheck(nil, &c))+ChecksClose
		if !json.Valid([]byte(events)) || !json.Valid([]byte(checks)) {
			t.Fatalf("no JSON: %s, %s", events, checks)
		}
		if title == "" {
			return // refused by the decoders
		}
		for _, s := range []*string{&e.Title, &e.Text, &e.Host, &e.Priority, &e.AlertType, &e.AggregationKey, &e.SourceType, &c.Name, &c.Message, &c.Host} {
			*s = valid(*s)
		}
		e.Tags = nil
		for _, tag := range tags {
			e.Tags = append(e.Tags, valid(tag))
		}
		c.Tags = e.Tags
		gotEvents, err := eventsOf(DecodeEvents, events)
		if diff := cmp.Diff([]Event{e}, gotEvents); err != nil || diff != "" {
			t.Fatalf("%v (-want +got):\n%s", err, diff)
		}
		gotChecks, err := checksOf(checks)
		if diff := cmp.Diff([]ServiceCheck{c}, gotChecks); err != nil || diff != "" {
			t.Fatalf("%v (-want +got):\n%s", err, diff)
		}
	})
}

// FuzzDecodeEvents: no body makes a decoder panic, what is taken is JSON, and
// it can be written and read again.
func FuzzDecodeEvents(f *testing.F) {
	for _, body := range []string{
		EventsOpen + string(AppendEvent(nil, &wholeEvent)) + EventsClose, `{"title":"t"}`, ChecksOpen + string(AppendServiceCheck(nil, &wholeCheck)) + ChecksClose,
		`{"events":{"api":[],}}`, `{"events"`, `{"a":1 "events":{}}`, `[`, `null`, `[null]`, `[{"check":"n","status":0},]`, `{"events":{1:[]}}`,
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		for _, decode := range []func(io.Reader, func(*Event) error) (int, error){DecodeEvents, DecodeEvent} {
			got, err := eventsOf(decode, body)
			if err != nil {
				continue
			}
			if !json.Valid([]byte(body)) {
				t.Fatalf("taken, but no JSON: %q", body)
			}
			for _, e := range got {
				back, err := eventsOf(DecodeEvent, string(AppendEvent(nil, &e)))
				if diff := cmp.Diff([]Event{e}, back, cmpopts.EquateEmpty()); err != nil || diff != "" {
					t.Fatalf("%v (-first +second):\n%s", err, diff)
				}
			}
		}
		if _, err := checksOf(body); err == nil && !json.Valid([]byte(body)) {
			t.Fatalf("taken, but no JSON: %q", body)
		}
	})
}
