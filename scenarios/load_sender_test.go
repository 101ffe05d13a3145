package scenarios

import (
	"slices"
	"testing"
)

// sending is a scenario with these lines under load, and in the corpus.
func sending(t *testing.T, load, corpus string) Scenario {
	t.Helper()
	s, err := Parse("", []byte("name: x\ngoal: rss_peak\nload:\n  schedule: {burst: {count: 1k, over: 1s}}\n  corpus: {"+corpus+"}\n  "+load+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSender: what may go together, and what it comes to in words.
func TestSender(t *testing.T) {
	for _, c := range []struct {
		transport, sender string
		want              Sender
		words             string
	}{
		{"udp", "{}", Sender{AutoMethod, 1, Block, NoClient}, ""},
		{"udp", "{method: auto, sockets: 1, when_full: block}", Sender{AutoMethod, 1, Block, NoClient}, ""},
		{"udp", "{method: gso, sockets: 3, when_full: drop}", Sender{SendGSO, 3, Drop, NoClient}, "through 3 sockets, by the method gso, dropped when there is no room"},
		{"unixgram", "{method: single}", Sender{SendSingle, 1, Block, NoClient}, "by the method single"},
		{"unixstream", "{when_full: drop}", Sender{AutoMethod, 1, Drop, NoClient}, "dropped when there is no room"},
		{"tcp", "{sockets: 2}", Sender{AutoMethod, 2, Block, NoClient}, "through 2 sockets"},
		{"unixstream", "{client: datadog-go}", Sender{AutoMethod, 1, Block, DatadogGo}, "through datadog-go"},
		{"udp", "{client: datadog-go, sockets: 4, method: auto, when_full: block}", Sender{AutoMethod, 4, Block, DatadogGo}, "through datadog-go, through 4 sockets"},
	} {
		got := sending(t, "transport: "+c.transport+"\n  sender: "+c.sender, "tags: 4").Load
		if string(got.Transport) != c.transport || got.Sender != c.want || got.Sender.Words() != c.words {
			t.Errorf("%s, %s: %+v, %q; want %+v, %q", c.transport, c.sender, got.Sender, got.Sender.Words(), c.want, c.words)
		}
	}
	if words := (Sender{}).Words(); words != "" {
		t.Errorf("a load from elsewhere, without a sender: %q", words)
	}
}

// TestClientIsNarrowed: what a client packs of itself is as much as a corpus that
// says so, to a target that cannot take it.
func TestClientIsNarrowed(t *testing.T) {
	one := Capabilities{Kinds: []string{"c"}, Tags: true}
	several := Capabilities{Kinds: []string{"c"}, Tags: true, Packing: true, LargestDatagram: 4096}
	for _, c := range []struct {
		why, load, corpus string
		can               Capabilities
		packing           Packing
		left              []string
	}{
		{"its own limits over UDP fit", "transport: udp", "tags: 4", several, Packing{}, nil},
		{"over a unix socket they do not", "transport: unixstream", "tags: 4", several, Packing{Bytes: 4096}, []string{"datagrams over 4096 bytes"}},
		{"a limit that fits", "transport: unixstream", "packing: 4KiB", several, Packing{Bytes: 4096}, nil},
		{"a target of one message in a datagram", "transport: udp", "packing: {bytes: 512B, lines: 4}", one, Packing{Bytes: 512, Lines: 1}, []string{"several messages in a datagram"}},
		{"which is what it was told anyway", "transport: udp", "packing: {lines: 1}", one, Packing{Lines: 1}, nil},
	} {
		s := sending(t, c.load+"\n  sender: {client: datadog-go}", c.corpus)
		target := Target{Transports: transports, Capabilities: c.can}
		narrowed, left, cannot := target.Narrow(s)
		if got := narrowed.Load.Corpus.Packing; got != c.packing || !slices.Equal(left, c.left) || len(cannot) > 0 {
			t.Errorf("%s: %+v, left out %q, cannot %q; want %+v, %q", c.why, got, left, cannot, c.packing, c.left)
		}
	}
	target := Target{Transports: []Transport{UDP, Unixgram}, Capabilities: several}
	if _, _, cannot := target.Narrow(sending(t, "transport: unixstream", "tags: 4")); !slices.Equal(cannot, []string{"transport unixstream"}) {
		t.Errorf("cannot %q, want the transport", cannot)
	}
}
