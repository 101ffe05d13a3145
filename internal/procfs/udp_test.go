package procfs

import (
	"strconv"
	"strings"
	"testing"
)

const udpHeadings = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops             \n"

func TestParseUDPLine(t *testing.T) {
	const v4 = " 1234: 0100007F:1FBD 00000000:0000 07 00000000:00033A00 00:00000000 00000000     0        0 815 2 00000000a1b2c3d4 41"
	tests := []struct {
		why  string
		line string
		want udpLine
		ok   bool
	}{
		{"a socket with a queue and drops", v4, udpLine{8125, 0x33A00, 815, 41}, true},
		{"the kernel pads lines to a width", v4 + "      ", udpLine{8125, 0x33A00, 815, 41}, true},
		{
			"IPv6 addresses are longer",
			"  99: 00000000000000000000000000000000:1FBD 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000  1000        0 7 2 0000000000000000 0",
			udpLine{8125, 0, 7, 0}, true,
		},
		{"without the drops of newer kernels", strings.TrimSuffix(v4, " 41"), udpLine{}, false},
		{"the headings are no socket", strings.TrimSpace(udpHeadings), udpLine{}, false},
		{"a number that is none", v4 + "x", udpLine{}, false},
		{"drops beyond 63 bits", v4 + "9999999999999999999", udpLine{}, false},
		{"nothing", "", udpLine{}, false},
	}
	for _, test := range tests {
		if got, ok := parseUDPLine([]byte(test.line)); got != test.want || ok != test.ok {
			t.Errorf("%s: %+v, %v; want %+v, %v", test.why, got, ok, test.want, test.ok)
		}
	}
}

func TestEachUDPLine(t *testing.T) {
	const socket = "  1: 0100007F:1FBD 00000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 8 2 0 3\n"
	for table, want := range map[string]int{"": 0, udpHeadings: 0, udpHeadings + socket + socket: 2} {
		n := 0
		if err := eachUDPLine([]byte(table), func(udpLine) { n++ }); err != nil || n != want {
			t.Errorf("%d sockets, %v; want %d in %q", n, err, want, table)
		}
	}
	if err := eachUDPLine([]byte(udpHeadings+"nonsense\n"), func(udpLine) {}); err == nil {
		t.Error("a line that cannot be read has no error: its drops would count as none")
	}
}

func TestDropsOfClosedSocketsStayBooked(t *testing.T) {
	var b dropBook
	b.note(1, 10)
	b.note(2, 5)
	b.note(1, 12) // its counter went on; socket 2 is not seen any more
	if got := b.total(); got != 17 {
		t.Errorf("total %d, want 12 of socket 1 and the last 5 of socket 2", got)
	}
}

// FuzzParseUDPLine compares the parser with one built from the standard
// library's parts.
func FuzzParseUDPLine(f *testing.F) {
	f.Add(" 1234: 0100007F:1FBD 00000000:0000 07 00000000:00033A00 00:00000000 00000000     0        0 815 2 00000000a1b2c3d4 41  ")
	f.Add("a b:FFFF c d 0:FFFFFFFF e f g h 9223372036854775807 i j 0")
	f.Add("a b:10000 c d 0:1 e f g h 1 i j 0")
	f.Add("a :1 c d 1 e f g h 0 i j 1 k l")
	f.Fuzz(func(t *testing.T, line string) {
		want, wantOK := naiveUDPLine(line)
		if got, ok := parseUDPLine([]byte(line)); got != want || ok != wantOK {
			t.Errorf("%q: %+v, %v; want %+v, %v", line, got, ok, want, wantOK)
		}
	})
}

func naiveUDPLine(line string) (udpLine, bool) {
	fields := strings.FieldsFunc(line, func(r rune) bool { return r == ' ' })
	if len(fields) < 13 {
		return udpLine{}, false
	}
	number := func(text string, base, bits int) int64 {
		if base == 16 {
			text = text[strings.LastIndex(text, ":")+1:]
			if len(text) > 8 || strings.ToUpper(text) != text {
				return -1
			}
		}
		n, err := strconv.ParseUint(text, base, bits)
		if err != nil {
			return -1
		}
		return int64(n)
	}
	port, queue := number(fields[1], 16, 16), number(fields[4], 16, 32)
	inode, drops := number(fields[9], 10, 63), number(fields[12], 10, 63)
	if min(port, queue, inode, drops) < 0 {
		return udpLine{}, false
	}
	return udpLine{int(port), queue, inode, drops}, true
}
