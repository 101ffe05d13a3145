package servertest

import (
	"fmt"

	"floodgate/internal/payload"
)

// event is a well-formed message, with the lengths that belong to it.
func event(title, text, sections string) string {
	return fmt.Sprintf("_e{%d,%d}:%s|%s%s", len(title), len(text), title, text, sections)
}

func theEvent(e payload.Event) []want        { return []want{{event: &e}} }
func theCheck(c payload.ServiceCheck) []want { return []want{{check: &c}} }

var eventRows = []row{
	{why: "title and text are enough", send: each(event("event.least", "text", "")), wants: theEvent(payload.Event{Title: "event.least", Text: "text"})},
	{why: "the text may be empty", send: each(event("event.empty", "", "")), wants: theEvent(payload.Event{Title: "event.empty"})},
	{why: "every section arrives", send: each(event("event.all", "text", "|d:1700000000|h:here|k:key|p:low|s:source|t:error|#a:1,b")),
		wants: theEvent(payload.Event{Title: "event.all", Text: "text", Timestamp: past, Host: "here", AggregationKey: "key", Priority: "low", SourceType: "source", AlertType: "error", Tags: []string{"a:1", "b"}})},
	{why: "in any order", send: each(event("event.order", "text", "|#a:1|t:info|d:1700000000")), wants: theEvent(payload.Event{Title: "event.order", Text: "text", Timestamp: past, AlertType: "info", Tags: []string{"a:1"}})},
	{why: "lengths, not separators, end title and text", send: each(event("event.bar|a:1|c", "b|c|", "")), wants: theEvent(payload.Event{Title: "event.bar|a:1|c", Text: "b|c|"})},
	{why: "lengths are bytes, not characters", send: each(event("event.é", "ünï", "|p:normal")), wants: theEvent(payload.Event{Title: "event.é", Text: "ünï", Priority: "normal"})},
	{why: "of the text as escaped, whose line ends come back", send: each(event("event.lines", `one\ntwo`, "")), wants: theEvent(payload.Event{Title: "event.lines", Text: "one\ntwo"})},
	{why: "what cannot be read of the sections is left out", send: each(event("event.odd", "text", "|d:soon|p:high|t:fatal|zz|")), wants: theEvent(payload.Event{Title: "event.odd", Text: "text"})},
	{why: "container, external data and cardinality are taken and left out", needs: []Feature{Sections}, send: each(event("event.sections", "text", "|c:ci-1|e:it-false|card:low")), wants: theEvent(payload.Event{Title: "event.sections", Text: "text"})},
	{why: "events stand beside metrics in a datagram", send: together("event.metric:1|c", event("event.between", "text", ""), "event.metric:2|c"),
		wants: append(theEvent(payload.Event{Title: "event.between", Text: "text"}), counter("event.metric|", 3))},
	{why: "an event without a title is none", needs: []Feature{Refusal}, send: each("_e{0,4}:|text"), cause: "bad_event", malformed: 1},
	{why: "nor one whose text was cut off", needs: []Feature{Refusal}, send: each("_e{3,40}:cut|text"), cause: "bad_event", malformed: 1},
	{why: "and it costs only itself", needs: []Feature{Refusal}, send: together("event.good:1|c", "_e{x}:y|z", "event.good:2|c"), wants: []want{counter("event.good|", 3)}, cause: "bad_event", malformed: 1},
}

var checkRows = []row{
	{why: "name and status are enough", send: each("_sc|check.least|0"), wants: theCheck(payload.ServiceCheck{Name: "check.least"})},
	{why: "a warning", send: each("_sc|check.warning|1"), wants: theCheck(payload.ServiceCheck{Name: "check.warning", Status: 1})},
	{why: "unknown is a status", send: each("_sc|check.unknown|3"), wants: theCheck(payload.ServiceCheck{Name: "check.unknown", Status: 3})},
	{why: "every section arrives", send: each(`_sc|check.all|2|d:1700000000|h:here|#a:1,b|m:one\ntwo: three`),
		wants: theCheck(payload.ServiceCheck{Name: "check.all", Status: 2, Timestamp: past, Host: "here", Tags: []string{"a:1", "b"}, Message: "one\ntwo: three"})},
	{why: "a message need not come last", send: each("_sc|check.order|1|m:first|#a:1"), wants: theCheck(payload.ServiceCheck{Name: "check.order", Status: 1, Tags: []string{"a:1"}, Message: "first"})},
	{why: "container, external data and cardinality are taken and left out", needs: []Feature{Sections}, send: each("_sc|check.sections|1|c:ci-1|e:it-false|card:low"), wants: theCheck(payload.ServiceCheck{Name: "check.sections", Status: 1})},
	{why: "a status that does not exist is refused", needs: []Feature{Refusal}, send: each("_sc|check.four|4"), cause: "bad_service_check", malformed: 1},
	{why: "so is a service check without one", needs: []Feature{Refusal}, send: each("_sc|check.none"), cause: "bad_service_check", malformed: 1},
	{why: "and it costs only itself", needs: []Feature{Refusal}, send: together("check.good:1|c", "_sc||0", "check.good:2|c"), wants: []want{counter("check.good|", 3)}, cause: "bad_service_check", malformed: 1},
}
