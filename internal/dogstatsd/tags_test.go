package dogstatsd

import "testing"

func TestRoleOf(t *testing.T) {
	for _, c := range []struct {
		tag, why string
		want     TagRole
	}{
		{"env:prod", "most tags mean nothing to a server", PlainTag},
		{"", "an empty tag neither", PlainTag},
		{"host:web-1", "this one names the host", HostTag},
		{"host:", "and this one says that there is none", HostTag},
		{"host", "without a colon it is a tag like others", PlainTag},
		{"hostname:x", "so is a longer name", PlainTag},
		{"Host:x", "and capitals make another one", PlainTag},
		{"dd.internal.entity_id:0123", "the entity of a client in a container", InternalTag},
		{"dd.internal.card:low", "how many tags of that entity it asks for", InternalTag},
		{"dd.internal.jmx_check_name:kafka", "the check that speaks through this client", InternalTag},
		{"dd.internal.other:x", "what is not known is passed on", PlainTag},
		{"dd.internal.card", "a name without a value is not it", PlainTag},
	} {
		if got := RoleOf([]byte(c.tag)); got != c.want {
			t.Errorf("%q has role %d, want %d: %s", c.tag, got, c.want, c.why)
		}
	}
}

func TestCutHost(t *testing.T) {
	for _, c := range []struct {
		tags, host, others string
		named              bool
	}{
		{"host:a,x,y", "a", "x,y", true},
		{"host:a", "a", "", true},
		{"host:,x", "", "x", true},
		{"host:", "", "", true},
		{"x,y", "", "x,y", false},
		{"", "", "", false},
	} {
		host, others := CutHost([]byte(c.tags))
		if string(host) != c.host || string(others) != c.others || (host != nil) != c.named {
			t.Errorf("%q: host %q (named: %v), others %q, want %q (%v), %q", c.tags, host, host != nil, others, c.host, c.named, c.others)
		}
	}
}
