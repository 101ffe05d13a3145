package artefact

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// checkDictionaries walks an xz stream without unpacking it and refuses blocks
// that ask for a dictionary above maxWindow: the decompressor would allocate
// up to 4 GiB because a single byte says so. What else is wrong with the
// stream is left to the decompressor, which reads the same bytes after this.
//
// The layout is that of the .xz file format 1.2: a header of 12 bytes, blocks
// of LZMA2 chunks, and an index that begins with a zero byte.
func checkDictionaries(stream io.Reader) error {
	r := &walker{from: bufio.NewReaderSize(stream, 64<<10)}
	header := r.take(12)
	if r.err != nil {
		return r.cut()
	}
	check := checkSizes[header[7]&0x0f]
	for {
		size := r.take(1)
		if r.err != nil {
			return r.cut()
		}
		if size[0] == 0 {
			return nil
		}
		start := r.n - 1
		if err := checkBlockHeader(r.take(4*(int64(size[0])+1) - 1)); err != nil {
			return err
		}
		r.chunks()
		r.skip((4 - (r.n-start)%4) % 4)
		r.skip(check)
	}
}

// checkSizes are the bytes of the check behind a block, by its kind.
var checkSizes = [16]int64{0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64}

// checkBlockHeader looks for the LZMA2 filter in a block's header, of which the
// first byte is gone.
func checkBlockHeader(header []byte) error {
	if len(header) == 0 {
		return io.ErrUnexpectedEOF
	}
	flags, rest := header[0], header[1:]
	for _, present := range []byte{0x40, 0x80} { // the sizes, each optional
		if flags&present != 0 {
			_, n := binary.Uvarint(rest)
			if n <= 0 {
				return errors.New("the header of a block is damaged")
			}
			rest = rest[n:]
		}
	}
	if flags&0x03 != 0 || len(rest) < 3 || rest[0] != 0x21 || rest[1] != 1 {
		return errors.New("it has a filter other than LZMA2, which is the only one that is read")
	}
	// Sizes are 2^n and 2^n + 2^(n-1), from 4 KiB on.
	bits := rest[2] & 0x3f
	if size := uint64(2|bits&1) << (bits/2 + 11); bits > 40 || size > maxWindow {
		return fmt.Errorf("it asks for a dictionary of more than %d bytes, which is the limit", maxWindow)
	}
	return nil
}

// walker reads a stream and remembers where it is and what went wrong.
type walker struct {
	from *bufio.Reader
	n    int64
	err  error
}

func (w *walker) cut() error {
	if errors.Is(w.err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return w.err
}

func (w *walker) take(n int64) []byte {
	p := make([]byte, n) // at most the 1 KiB of a block header
	if w.err == nil {
		_, w.err = io.ReadFull(w.from, p)
		w.n += n
	}
	if w.err != nil {
		return nil
	}
	return p
}

func (w *walker) skip(n int64) {
	if w.err == nil {
		_, w.err = io.CopyN(io.Discard, w.from, n)
		w.n += n
	}
}

// chunks skips the LZMA2 chunks of a block, up to and with the end marker.
func (w *walker) chunks() {
	for {
		control := w.take(1)
		switch {
		case w.err != nil || control[0] == 0:
			return
		case control[0] >= 0x80: // compressed
			sizes := w.take(4)
			if w.err != nil {
				return
			}
			if control[0] >= 0xc0 {
				w.skip(1) // new properties
			}
			w.skip(int64(binary.BigEndian.Uint16(sizes[2:])) + 1)
		case control[0] <= 2: // stored
			sizes := w.take(2)
			if w.err != nil {
				return
			}
			w.skip(int64(binary.BigEndian.Uint16(sizes)) + 1)
		default:
			w.err = errors.New("an LZMA2 chunk is damaged")
			return
		}
	}
}
