package servertest

import (
	"fmt"
	"strings"

	"floodgate/internal/dogstatsd"
)

var tagRows = []row{
	{why: "the order of tags does not matter, nor that one stands twice", send: each("tag.order:1|c|#a:1,b:2", "tag.order:2|c|#b:2,a:1", "tag.order:4|c|#b:2,a:1,b:2"), wants: []want{counter("tag.order|a:1,b:2", 7)}},
	{why: "each set of tags is a contextKey", send: together("tag.sets:1|c|#a:1", "tag.sets:2|c|#a:2", "tag.sets:4|c", "tag.sets:8|c|#a:1,a:2", "tag.sets:16|c|#a:1"),
		wants: []want{counter("tag.sets|a:1", 17), counter("tag.sets|a:2", 2), counter("tag.sets|", 4), counter("tag.sets|a:1,a:2", 8)}},
	{why: "an empty section is no tags", send: each("tag.none:1|c|#", "tag.none:2|c"), wants: []want{counter("tag.none|", 3)}},
	{why: "an empty tag among others is kept", send: each("tag.empty:1|c|#,x", "tag.empty:2|c|#x,"), wants: []want{counter("tag.empty|,x", 3)}},
	{why: "a tag needs no value", send: each("tag.bare:1|g|#alone"), wants: []want{gauge("tag.bare|alone", 1)}},
	{why: "tags have no character set", send: each("tag.text:1|c|#u:http://h:1/é ü,#x@y"), wants: []want{counter("tag.text|#x@y,u:http://h:1/é ü", 1)}},
	{why: "capitals make another tag", send: each("tag.case:1|c|#A", "tag.case:2|c|#a"), wants: []want{counter("tag.case|A", 1), counter("tag.case|a", 2)}},
	{why: "a rate may stand before them or behind", needs: []Feature{Sampling}, send: each("tag.rate:1|c|@0.5|#a:1", "tag.rate:1|c|#a:1|@0.25"), wants: []want{counter("tag.rate|a:1", 6)}},
	{why: "members of a set belong to their tags", send: together("tag.set:m|s|#a:1", "tag.set:m|s|#a:2", "tag.set:n|s|#a:1"), wants: []want{set("tag.set|a:1", 2), set("tag.set|a:2", 1)}},
	{why: "there may be many", send: each("tag.many:1|c|#" + numbered(60)), wants: []want{counter("tag.many|"+numbered(60), 1)}},
	{why: "of repeated sections the last counts", needs: []Feature{Sections}, send: each("tag.twice:1|c|#a:1|#a:2"), wants: []want{counter("tag.twice|a:2", 1)}},
}

var specialTagRows = []row{
	{why: "the host is no tag", send: each("special.host:1|c|#b:1,host:web,a:1"), wants: []want{counter("special.host|a:1,b:1", 1).onHost("web")}},
	{why: "messages of two hosts are two series", send: together("special.hosts:1|c|#host:web", "special.hosts:2|c|#host:db", "special.hosts:4|c|#host:web", "special.hosts:8|c"),
		wants: []want{counter("special.hosts|", 5).onHost("web"), counter("special.hosts|", 2).onHost("db")}},
	{why: "of several hosts the last counts", send: each("special.last:1|c|#host:web,host:db"), wants: []want{counter("special.last|", 1).onHost("db")}},
	{why: "a host without a name is none", send: each("special.none:5|g|#host:,a:1"), wants: []want{gauge("special.none|a:1", 5).onHost("")}},
	{why: "a distribution has a host, too", send: each("special.d:5|d|#host:web,a:1"), wants: []want{summary(dogstatsd.Distribution, "special.d|a:1", 1, 5, 5, 5).onHost("web")}},
	{why: "so have the series of a timer", send: each("special.ms:5|ms|#host:web"), wants: []want{summary(dogstatsd.Timer, "special.ms|", 1, 5, 5, 5).onHost("web")}},
	{why: "and a value with a time", needs: []Feature{Timestamps}, send: each("special.time:5|g|#host:web|T1700000000"), wants: []want{gauge("special.time|", 5).atTime(past).onHost("web")}},
	{why: "tags that only begin like it stay", send: each("special.like:1|c|#hostname:web,host,Host:a"), wants: []want{counter("special.like|Host:a,host,hostname:web", 1)}},
	{why: "the entity of a client is not passed on", send: each("special.entity:1|c|#dd.internal.entity_id:0123,a:1", "special.entity:2|c|#a:1"), wants: []want{counter("special.entity|a:1", 3)}},
	{why: "nor the cardinality it asks for", send: each("special.card:1|c|#dd.internal.card:low", "special.card:2|c"), wants: []want{counter("special.card|", 3)}},
	{why: "nor the check that speaks", send: each("special.jmx:1|c|#a:1,dd.internal.jmx_check_name:kafka", "special.jmx:2|c|#a:1"), wants: []want{counter("special.jmx|a:1", 3)}},
	{why: "what is not known is passed on", send: each("special.other:1|c|#dd.internal.x:1"), wants: []want{counter("special.other|dd.internal.x:1", 1)}},
}

// numbered is n sorted tags.
func numbered(n int) string {
	tags := make([]string, n)
	for i := range tags {
		tags[i] = fmt.Sprintf("t%02d:%d", i, i)
	}
	return strings.Join(tags, ",")
}

// sectionRows send a count with a section and once more without it: both must
// come to one contextKey, which has no trace of the section.
func sectionRows() []row {
	var rows []row
	for i, s := range []struct{ section, why string }{
		{"c:0123456789abcdef", "the container of protocol 1.2"},
		{"c:ci-0123456789abcdef", "its form in protocol 1.4"},
		{"c:in-4026531835", "the inode in its place"},
		{"c:ci-0123456789abcdef,in-4026531835", "or both"},
		{"c:", "a container without a name"},
		{"e:it-false,cn-app,pu-75a2b6d5-3949-4afb-ad0d-92ff0674e759", "the external data of protocol 1.5"},
		{"card:low", "the cardinality of protocol 1.6"},
		{"card:none|c:ci-1|e:it-true", "all of them, in another order"},
		{"zz:1", "a section that nobody knows yet"},
		{"?", "of one character"},
		{"", "or of none"},
	} {
		name := fmt.Sprintf("section.%d", i)
		rows = append(rows, row{why: s.why, send: each(name+":1|c|"+s.section, name+":2|c"), wants: []want{counter(name+"|", 3)}},
			row{why: s.why + ", beside tags", needs: []Feature{Tags}, send: each(name+".tags:1|c|"+s.section+"|#a:1", name+".tags:2|c|#a:1|"+s.section), wants: []want{counter(name+".tags|a:1", 3)}})
	}
	return rows
}

// past is a time that all targets take for the past.
const past = 1_700_000_000

var timestampRows = []row{
	{why: "a count arrives at its time", send: each("time.c:5|c|T1700000000"), wants: []want{counter("time.c|", 5).atTime(past)}},
	{why: "so does a gauge", send: each("time.g:5|g|T1700000000"), wants: []want{gauge("time.g|", 5).atTime(past)}},
	{why: "values of one time may come in two messages", send: each("time.twice:5|c|T1700000000", "time.twice:2|c|T1700000000"), wants: []want{counter("time.twice|", 7).atTime(past)}},
	{why: "and those of two times are both kept", send: each("time.two:5|c|T1700000010", "time.two:2|c|T1700000000"), wants: []want{counter("time.two|", 7).atTime(past + 10)}},
	{why: "a gauge of an earlier time is not the last one", send: each("time.early:5|g|T1700000010", "time.early:2|g|T1700000000"), wants: []want{gauge("time.early|", 5).atTime(past + 10)}},
	{why: "packed counts are summed", needs: []Feature{Packing}, send: each("time.pack:1:2:4|c|T1700000000"), wants: []want{counter("time.pack|", 7).atTime(past)}},
	{why: "tags may stand before the time or behind", needs: []Feature{Tags}, send: each("time.tags:1|c|T1700000000|#a:1", "time.tags:2|c|#a:1|T1700000000"), wants: []want{counter("time.tags|a:1", 3).atTime(past)}},
	{why: "a time does not keep others from now", send: each("time.mixed:1|c|T1700000000", "time.mixed:2|c"), wants: []want{counter("time.mixed|", 3)}},
	{why: "a histogram cannot be sent for another time: it would arrive now", needs: []Feature{Refusal}, send: each("time.h:1|h|T1700000000"), cause: "bad_timestamp_kind", malformed: 1},
	{why: "nor a timing", needs: []Feature{Refusal}, send: each("time.ms:1|ms|T1700000000"), cause: "bad_timestamp_kind", malformed: 1},
	{why: "nor a distribution", needs: []Feature{Refusal}, send: each("time.d:1|d|T1700000000"), cause: "bad_timestamp_kind", malformed: 1},
	{why: "nor a set", needs: []Feature{Refusal}, send: each("time.s:1|s|T1700000000"), cause: "bad_timestamp_kind", malformed: 1},
	{why: "times are positive", needs: []Feature{Refusal}, send: each("time.zero:1|c|T0\ntime.negative:1|g|T-5"), cause: "bad_timestamp", malformed: 2},
	{why: "and whole seconds", needs: []Feature{Refusal}, send: each("time.part:1|c|T1700000000.5\ntime.text:1|c|Tnow\ntime.none:1|c|T"), cause: "bad_timestamp", malformed: 3},
}

// refusalRows put a malformed line between two good ones, which must arrive, and
// nothing else.
func refusalRows() []row {
	var rows []row
	for i, b := range []struct{ line, cause, why string }{
		{"refused", "no_separator", "a line with neither a value nor a kind"},
		{"refused:1", "no_separator", "a line without a kind"},
		{"refused|c", "no_separator", "a line without a value"},
		{"{\"json\":\"of somebody else\"}", "no_separator", "what was meant for another port"},
		{"\x00\xff\xfe\x01", "no_separator", "bytes"},
		{":1|c", "empty_name", "an empty name"},
		{"refused:|c", "empty_value", "an empty value"},
		{"refused:::|ms", "empty_value", "values that are all empty"},
		{"refused:1|x", "unknown_kind", "a kind that does not exist"},
		{"refused:1|c\r\r", "unknown_kind", "one carriage return belongs to the line end, a second one to the kind"},
		{"refused:1|C", "unknown_kind", "kinds are small letters"},
		{"refused:1|", "unknown_kind", "an empty kind"},
		{"refused:one|c", "bad_value", "a value that is no number"},
		{"refused: 1|g", "bad_value", "numbers have no space around them"},
		{"refused:1,5|c", "bad_value", "nor a comma in them"},
		{"refused:1:x:3|h", "bad_value", "one bad value spoils its message: the others are not counted either"},
		{"refused:NaN|g", "bad_value", "not a number would poison a sum, and cannot be uploaded"},
		{"refused:Inf|c", "bad_value", "nor could an infinity"},
		{"refused:-inf|h", "bad_value", "a negative one"},
		{"refused:1e999|d", "bad_value", "or one by overflow"},
		{"refused:1|c|@0", "bad_rate", "a rate of 0 weighs infinitely"},
		{"refused:1|c|@-0.5", "bad_rate", "a negative rate means nothing"},
		{"refused:1|h|@", "bad_rate", "an empty one neither"},
		{"refused:1|c|@half", "bad_rate", "a rate that is no number"},
		{"refused:1|c|@NaN", "bad_rate", "or says so"},
	} {
		good := fmt.Sprintf("good.%d:1|c", i)
		rows = append(rows, row{why: b.why, send: together(good, b.line, good), cause: b.cause, malformed: 1, wants: []want{counter(fmt.Sprintf("good.%d|", i), 2)}})
	}
	return rows
}
