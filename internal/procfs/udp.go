package procfs

import (
	"bytes"
	"fmt"
	"math"
)

// udpLine is what matters in one line of /proc/net/udp or /proc/net/udp6.
type udpLine struct {
	port  int
	queue int64 // bytes
	inode int64
	drops int64
}

// The fields of a line, split at blanks:
//
//	sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode ref pointer drops
const (
	fieldLocal  = 1
	fieldQueues = 4
	fieldInode  = 9
	fieldDrops  = 12
	udpFields   = 13
)

// parseUDPLine reads one line of the table, without its newline.
func parseUDPLine(line []byte) (udpLine, bool) {
	var fields [udpFields][]byte
	n := 0
	for rest := line; n < udpFields; n++ {
		rest = bytes.TrimLeft(rest, " ")
		if len(rest) == 0 {
			break
		}
		if end := bytes.IndexByte(rest, ' '); end >= 0 {
			fields[n], rest = rest[:end], rest[end:]
		} else {
			fields[n], rest = rest, nil
		}
	}
	if n < udpFields {
		return udpLine{}, false
	}
	port, ok1 := hexadecimal(afterColon(fields[fieldLocal]))
	queue, ok2 := hexadecimal(afterColon(fields[fieldQueues]))
	inode, ok3 := decimal(fields[fieldInode])
	drops, ok4 := decimal(fields[fieldDrops])
	if !ok1 || !ok2 || !ok3 || !ok4 || port > math.MaxUint16 {
		return udpLine{}, false
	}
	return udpLine{port: int(port), queue: queue, inode: inode, drops: drops}, true
}

// eachUDPLine calls f for each socket in table, which has a line of headings
// first.
func eachUDPLine(table []byte, f func(udpLine)) error {
	_, table, _ = bytes.Cut(table, []byte{'\n'})
	for len(table) > 0 {
		var text []byte
		text, table, _ = bytes.Cut(table, []byte{'\n'})
		line, ok := parseUDPLine(text)
		if !ok {
			return fmt.Errorf("line %q is not of the known form", text)
		}
		f(line)
	}
	return nil
}

func afterColon(field []byte) []byte {
	return field[bytes.LastIndexByte(field, ':')+1:]
}

// decimal reads a number of the kernel's; it refuses signs, blanks and overflow.
func decimal(digits []byte) (int64, bool) {
	var n int64
	for _, c := range digits {
		d := int64(c) - '0'
		if d < 0 || d > 9 || n > (math.MaxInt64-d)/10 {
			return 0, false
		}
		n = n*10 + d
	}
	return n, len(digits) > 0
}

// hexadecimal reads the kernel's upper-case digits, eight at most.
func hexadecimal(digits []byte) (int64, bool) {
	var n int64
	for _, c := range digits {
		switch {
		case c >= '0' && c <= '9':
			n = n<<4 | int64(c-'0')
		case c >= 'A' && c <= 'F':
			n = n<<4 | int64(c-'A'+10)
		default:
			return 0, false
		}
	}
	return n, len(digits) > 0 && len(digits) <= 8
}

// dropBook keeps the drops of every socket seen, because a socket takes its
// counter with it when it is closed.
type dropBook struct {
	sockets []bookedSocket
}

type bookedSocket struct {
	inode int64
	drops int64
}

func (b *dropBook) note(inode, drops int64) {
	for i := range b.sockets {
		if b.sockets[i].inode == inode {
			b.sockets[i].drops = drops
			return
		}
	}
	b.sockets = append(b.sockets, bookedSocket{inode, drops})
}

func (b *dropBook) total() int64 {
	var sum int64
	for i := range b.sockets {
		sum += b.sockets[i].drops
	}
	return sum
}
