package servertest

import (
	"strings"

	"floodgate/internal/dogstatsd"
)

var kindRows = []row{
	{why: "counts add up, within a datagram and over several", send: []string{"count:1|c\ncount:2|c", "count:4|c"}, wants: []want{counter("count|", 7)}},
	{why: "a count may go down", send: each("count.down:5|c", "count.down:-7|c"), wants: []want{counter("count.down|", -2)}},
	{why: "a count of 0 is one", send: each("count.zero:0|c"), wants: []want{counter("count.zero|", 0)}},
	{why: "counts need not be whole", send: each("count.part:0.25|c", "count.part:.5|c"), wants: []want{counter("count.part|", .75)}},
	{why: "whole numbers are exact as far as a double is", send: each("count.large:9007199254740990|c", "count.large:1|c"), wants: []want{counter("count.large|", 1<<53-1)}},
	{why: "of a gauge the last value stands, not the largest", send: each("gauge:1|g", "gauge:3|g", "gauge:2|g"), wants: []want{gauge("gauge|", 2)}},
	{why: "a gauge of 0 is one", send: each("gauge.zero:4|g", "gauge.zero:0|g"), wants: []want{gauge("gauge.zero|", 0)}},
	{why: "a sign makes no delta of a gauge, as plain StatsD has it", send: each("gauge.plus:10|g", "gauge.plus:+5|g", "gauge.minus:10|g", "gauge.minus:-3|g"), wants: []want{gauge("gauge.plus|", 5), gauge("gauge.minus|", -3)}},
	{why: "a member of a set counts once", send: each("set:a|s", "set:b|s", "set:a|s"), wants: []want{set("set|", 2)}},
	{why: "members are text: the same number may be two", send: each("set.text:1|s", "set.text:1.0|s", "set.text:é x|s"), wants: []want{set("set.text|", 3)}},
	{why: "a set has one member, colons included", send: each("set.colon:a:b|s", "set.colon:a|s", "set.colon:b|s"), wants: []want{set("set.colon|", 3)}},
	{why: "timers are summarised", send: each("timer:3|ms", "timer:-1|ms", "timer:2.5|ms"), wants: []want{summary(dogstatsd.Timer, "timer|", 3, -1, 3, 4.5)}},
	{why: "histograms are summarised", send: each("histogram:3|h", "histogram:3|h", "histogram:8|h"), wants: []want{summary(dogstatsd.Histogram, "histogram|", 3, 3, 8, 14)}},
	{why: "distributions are summarised", send: each("distribution:3|d", "distribution:0|d", "distribution:-8|d"), wants: []want{summary(dogstatsd.Distribution, "distribution|", 3, -8, 3, -5)}},
	{why: "kinds of one name are different contextKeys", send: together("same:1|c", "same:2|g", "same:3|h", "same:4|c"),
		wants: []want{counter("same|", 5), gauge("same|", 2), summary(dogstatsd.Histogram, "same|", 1, 3, 3, 3)}},
	{why: "exponents are numbers", send: each("number.exponent:1e3|g", "number.exponent.c:25e-1|c"), wants: []want{gauge("number.exponent|", 1000), counter("number.exponent.c|", 2.5)}},
	{why: "so are hexadecimal floats", send: each("number.hex:0x1p-2|g"), wants: []want{gauge("number.hex|", .25)}},
}

var lineRows = []row{
	{why: "empty lines are nothing, in front, between and behind", send: each("\n\nline.empty:1|c\n\n\nline.empty:2|c\n\n"), wants: []want{counter("line.empty|", 3)}},
	{why: "a last line needs no line end, and may have one", send: each("line.end:1|c", "line.end:2|c\n", "line.end:4|c\nline.end:8|c"), wants: []want{counter("line.end|", 15)}},
	{why: "a carriage return before the line end belongs to it", send: each("line.crlf:1|c\r\n\r\nline.crlf:2|c\r\nline.crlf:4|c\r"), wants: []want{counter("line.crlf|", 7)}},
	{why: "also where it would be part of a tag", needs: []Feature{Tags}, send: each("line.crlf.tag:1|c|#a:1\r\nline.crlf.tag:2|c|#a:1\r"), wants: []want{counter("line.crlf.tag|a:1", 3)}},
	{why: "a datagram of many lines counts them all", send: each(strings.Repeat("line.many:1|c\n", 130)), wants: []want{counter("line.many|", 130)}},
	{why: "lines of a datagram keep their order", send: each("line.order:1|g\nline.order:2|g\nline.order:3|g"), wants: []want{gauge("line.order|", 3)}},
	{why: "a datagram may have nothing in it", send: each("", "line.after.nothing:1|c", "\n"), datagrams: true, wants: []want{counter("line.after.nothing|", 1)}},
	{why: "a line may be long", needs: []Feature{Tags}, send: each("line.long:1|c|#a:" + strings.Repeat("x", 1000)), wants: []want{counter("line.long|a:"+strings.Repeat("x", 1000), 1)}},
}

var packingRows = []row{
	{why: "counts are summed", send: each("pack.c:1:2:4|c"), wants: []want{counter("pack.c|", 7)}},
	{why: "of gauges the last stands", send: each("pack.g:1:3:2|g"), wants: []want{gauge("pack.g|", 2)}},
	{why: "each timing counts", send: each("pack.ms:1:2:-3|ms"), wants: []want{summary(dogstatsd.Timer, "pack.ms|", 3, -3, 2, 0)}},
	{why: "so does each value of a histogram", send: each("pack.h:1.5:2:3|h", "pack.h:9|h"), wants: []want{summary(dogstatsd.Histogram, "pack.h|", 4, 1.5, 9, 15.5)}},
	{why: "and of a distribution", send: each("pack.d:1:2:4|d"), wants: []want{summary(dogstatsd.Distribution, "pack.d|", 3, 1, 4, 7)}},
	{why: "empty values are skipped", send: each("pack.empty:21::22|ms", "pack.empty.c::1:|c"), wants: []want{summary(dogstatsd.Timer, "pack.empty|", 2, 21, 22, 43), counter("pack.empty.c|", 1)}},
	{why: "rate and tags hold for all values", needs: []Feature{Sampling, Tags}, send: each("pack.all:10:20|h|@0.5|#a:1"),
		wants: []want{summary(dogstatsd.Histogram, "pack.all|a:1", 4, 10, 20, 60)}},
}

var samplingRows = []row{
	{why: "a count weighs 1/rate", send: each("rate.c:3|c|@0.1"), wants: []want{counter("rate.c|", 30)}},
	{why: "also where that is no whole number", send: each("rate.third:1|c|@0.3"), wants: []want{counter("rate.third|", 1/.3)}},
	{why: "a rate of 1 says nothing", send: each("rate.one:5|c|@1", "rate.one:2|c|@1.0"), wants: []want{counter("rate.one|", 7)}},
	{why: "messages of one contextKey may have different rates", send: together("rate.mixed:1|c|@0.5", "rate.mixed:1|c", "rate.mixed:1|c|@0.25"), wants: []want{counter("rate.mixed|", 7)}},
	{why: "rates may have an exponent", send: each("rate.exponent:1|c|@1e-1"), wants: []want{counter("rate.exponent|", 10)}},
	{why: "a gauge does not change with its rate", send: each("rate.g:5|g|@0.1"), wants: []want{gauge("rate.g|", 5)}},
	{why: "nor does a set", send: each("rate.s:a|s|@0.1"), wants: []want{set("rate.s|", 1)}},
	{why: "a timing counts 1/rate times", send: each("rate.ms:5|ms|@0.25"), wants: []want{summary(dogstatsd.Timer, "rate.ms|", 4, 5, 5, 20)}},
	{why: "so does a value of a histogram", send: each("rate.h:5|h|@0.5", "rate.h:1|h"), wants: []want{summary(dogstatsd.Histogram, "rate.h|", 3, 1, 5, 11)}},
	{why: "and of a distribution", send: each("rate.d:5|d|@0.125"), wants: []want{summary(dogstatsd.Distribution, "rate.d|", 8, 5, 5, 40)}},
	{why: "of repeated rates the last counts", needs: []Feature{Sections}, send: each("rate.twice:1|c|@0.1|@0.5"), wants: []want{counter("rate.twice|", 2)}},
}

var nameRows = []row{
	{why: "names have no character set", send: each("name.ünï cödé/{}!:1|c"), wants: []want{counter("name.ünï cödé/{}!|", 1)}},
	{why: "capitals make another name", send: each("name.Case:1|c", "name.case:2|c"), wants: []want{counter("name.Case|", 1), counter("name.case|", 2)}},
	{why: "tags in a name, as InfluxDB writes them, are part of it", send: each("name.influx,k=v:1|c"), wants: []want{counter("name.influx,k=v|", 1)}},
	{why: "as SignalFx writes them", send: each("name.signalfx[k=v]:1|c"), wants: []want{counter("name.signalfx[k=v]|", 1)}},
	{why: "as Librato writes them", send: each("name.librato#k=v:1|c"), wants: []want{counter("name.librato#k=v|", 1)}},
	{why: "what only begins like an event is a metric", send: each("_e.name:1|c", "_:2|c"), wants: []want{counter("_e.name|", 1), counter("_|", 2)}},
	{why: "so is what only begins like a service check", send: each("_sc.name:1|c", "_scratch:2|c"), wants: []want{counter("_sc.name|", 1), counter("_scratch|", 2)}},
	{why: "a name may have spaces, also alone", send: each(" name.space :1|c"), wants: []want{counter(" name.space |", 1)}},
}
