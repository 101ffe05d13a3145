package aggregate

import (
	"fmt"
	"maps"
	"testing"
)

// byHost flattens a cut: "name@host|tags" -> value, without the '@' where no tag
// names a host. Sketches count.
func byHost(t *testing.T, cut *Cut) map[string]float64 {
	t.Helper()
	out := map[string]float64{}
	keep := func(name, host, tags []byte, value float64) {
		key := string(name)
		if host != nil {
			key += "@" + string(host)
		}
		if key += "|" + string(tags); out[key] != 0 {
			t.Errorf("%s comes twice", key)
		}
		out[key] = value
	}
	if err := cut.Each(func(s *Series) error {
		keep(fmt.Append(s.Name, s.Suffix), s.Host, s.Tags, s.Value)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := cut.EachSketch(func(s *Sketch) error {
		keep(s.Name, s.Host, s.Tags, s.Count)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestSpecialTags: what the agent does with the tags that it acts on.
func TestSpecialTags(t *testing.T) {
	for _, c := range []struct {
		why, datagram string
		want          map[string]float64
	}{
		{"the host is no tag", "a:1|c|#x,host:web,y", map[string]float64{"a@web|x,y": 1}},
		{"it is part of the contextKey", "a:1|c|#host:web\na:2|c|#host:db\na:4|c|#host:web", map[string]float64{"a@web|": 5, "a@db|": 2}},
		{"and stands anywhere", "a:1|c|#host:web,x\na:2|c|#x,host:web", map[string]float64{"a@web|x": 3}},
		{"without a name it says that there is no host, which is not the same as saying nothing", "a:1|c|#host:,x\na:2|c|#x", map[string]float64{"a@|x": 1, "a|x": 2}},
		{"of several the last counts", "a:1|c|#host:web,x,host:db\na:2|c|#host:db,x", map[string]float64{"a@db|x": 3}},
		{"repeated tags beside it are one", "a:1|c|#x,host:web,x", map[string]float64{"a@web|x": 1}},
		{"an empty tag beside others stays", "a:1|c|#,host:web,x", map[string]float64{"a@web|,x": 1}},
		{"one empty tag is none, beside a host too", "a:1|c|#host:web,\na:2|c|#host:web", map[string]float64{"a@web|": 3}},
		{"what sorts before the host is no part of it", "a:1|c|#env:prod,host:web", map[string]float64{"a@web|env:prod": 1}},
		{"a name that only begins like it is a tag", "a:1|c|#hostname:web,host", map[string]float64{"a|host,hostname:web": 1}},
		{"the entity of a client is not passed on", "a:1|c|#dd.internal.entity_id:0123,x\na:2|c|#x", map[string]float64{"a|x": 3}},
		{"nor its cardinality", "a:1|c|#x,dd.internal.card:low\na:2|c|#x", map[string]float64{"a|x": 3}},
		{"nor the check that it is", "a:1|c|#dd.internal.jmx_check_name:kafka\na:2|c", map[string]float64{"a|": 3}},
		{"other internal names are nothing special", "a:1|c|#dd.internal.x:1", map[string]float64{"a|dd.internal.x:1": 1}},
		{"all of them at once", "a:1|c|#dd.internal.card:low,y,host:web,dd.internal.entity_id:0,x", map[string]float64{"a@web|x,y": 1}},
		{"distributions have a host too", "a:1|d|#host:web,x", map[string]float64{"a@web|x": 1}},
		{"so have values with a timestamp", "a:5|g|T7|#host:web", map[string]float64{"a@web|": 5}},
	} {
		tables := [2]*Table{NewTable(config()), NewTable(config())}
		for _, table := range tables {
			table.Advance(second)
			table.AddDatagram([]byte(c.datagram), false)
		}
		if got := byHost(t, tables[0].Cut(true)); !maps.Equal(got, c.want) {
			t.Errorf("%s:\n%s\ngives %v\nwant  %v", c.why, c.datagram, got, c.want)
		}
		empty := NewTable(config())
		empty.Advance(second)
		if got := byHost(t, Merge(tables[1].Cut(true), empty.Cut(true))); !maps.Equal(got, c.want) {
			t.Errorf("%s, merged:\n%s\ngives %v\nwant  %v", c.why, c.datagram, got, c.want)
		}
	}
}
