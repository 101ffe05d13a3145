package artefact

import (
	"archive/tar"
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// block is the size of a tar header, and enough of any file to know its format.
const block = 512

// packing is a way in which a tar can be compressed.
type packing struct {
	magic string
	name  string
	open  func(*io.SectionReader) (io.Reader, func(), error)
}

// maxWindow bounds, in bytes, how far back a compressed stream may refer,
// which is the memory that reading it takes. xz -9 needs half of it.
const maxWindow = 128 << 20

var packings = []packing{
	{"\x1f\x8b", "gz", func(s *io.SectionReader) (io.Reader, func(), error) {
		r, err := gzip.NewReader(bufio.NewReader(s))
		return r, func() {}, err
	}},
	{"\x28\xb5\x2f\xfd", "zst", func(s *io.SectionReader) (io.Reader, func(), error) {
		r, err := zstd.NewReader(s, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, nil, err
		}
		return r, r.Close, nil
	}},
	{"\xfd7zXZ\x00", "xz", func(s *io.SectionReader) (io.Reader, func(), error) {
		if err := checkDictionaries(io.NewSectionReader(s, 0, s.Size())); err != nil {
			return nil, nil, err
		}
		r, err := xz.ReaderConfig{SingleStream: true}.NewReader(bufio.NewReader(s))
		return r, func() {}, err
	}},
}

// packingOf knows a compressed file by its first bytes.
func packingOf(head []byte) (packing, bool) {
	for _, p := range packings {
		if bytes.HasPrefix(head, []byte(p.magic)) {
			return p, true
		}
	}
	return packing{}, false
}

// file reads a regular file of that size. Its name only matters for an empty
// tar, which has nothing else to be known by.
func (r *reading) file(at io.ReaderAt, size int64, name string) (*Artefact, error) {
	whole := io.NewSectionReader(at, 0, size)
	head, err := headOf(whole)
	if err != nil {
		return nil, err
	}
	a := &Artefact{Kind: "file", Disk: size, Wire: size, WireAs: asItIs}
	counted := everything
	switch {
	case bytes.HasPrefix(head, []byte("PK\x03\x04")), bytes.HasPrefix(head, []byte("PK\x05\x06")):
		a.Kind, err = "zip", r.zip(at, size)
	case isDeb(head):
		a.Kind, counted, err = "deb", installed, r.deb(whole)
	case isTar(head, name):
		// Seeking over the files instead of reading them.
		if a.Kind, err = "tar", r.tar(whole, ""); err == nil {
			err = r.compress(a, whole)
		}
	default:
		if p, packed := packingOf(head); packed {
			var unpacked bool
			if unpacked, err = r.packedTar(p, whole, "", name); unpacked {
				a.Kind = "tar." + p.name
			}
		} else {
			err = r.compress(a, whole)
		}
	}
	if err != nil {
		if a.Kind != "file" {
			err = fmt.Errorf("it is no good %s: %w", a.Kind, err)
		}
		return nil, err
	}
	if a.Kind != "file" {
		a.Entries, a.Disk, err = r.inventory(counted)
	}
	return a, err
}

// headOf returns the first bytes, as many as there are.
func headOf(s *io.SectionReader) ([]byte, error) {
	head := make([]byte, block)
	n, err := s.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, bare(err)
	}
	return head[:n], nil
}

// compress fills in the size on the wire.
func (r *reading) compress(a *Artefact, whole *io.SectionReader) error {
	var err error
	a.WireAs = r.codec.String()
	a.Wire, err = r.codec.size(func(w io.Writer) error {
		_, err := io.Copy(w, attended{r.ctx, io.NewSectionReader(whole, 0, whole.Size())})
		return err
	})
	return err
}

// isTar knows a tar by the checksum of its first header, which every variant
// of the format has.
func isTar(head []byte, name string) bool {
	if len(head) < block {
		return false
	}
	sum := 8 * int64(' ') // the checksum's own field counts as spaces
	for i, c := range head {
		if i < 148 || i >= 156 {
			sum += int64(c)
		}
	}
	if sum == 8*int64(' ') { // all zero: the end of an archive that has nothing
		return strings.Contains(name, ".tar") || strings.HasSuffix(name, ".tgz")
	}
	written, err := strconv.ParseInt(strings.Trim(string(head[148:156]), " \x00"), 8, 64)
	return err == nil && written == sum
}

// packedTar lists a compressed tar, or reports that what is compressed is no
// tar. Every path gets the prefix.
func (r *reading) packedTar(p packing, packed *io.SectionReader, prefix, name string) (bool, error) {
	from, stop, err := p.open(packed)
	if err != nil {
		return false, fmt.Errorf("it is no good %s stream: %w", p.name, err)
	}
	defer stop()
	buffered := bufio.NewReaderSize(unpacking{r, from}, 64<<10)
	head, err := buffered.Peek(block)
	if err != nil && !errors.Is(err, io.EOF) {
		return false, fmt.Errorf("it is no good %s stream: %w", p.name, err)
	}
	if !isTar(head, name) {
		return false, nil
	}
	return true, r.tar(buffered, prefix)
}

// tar lists the entries of a tar.
func (r *reading) tar(from io.Reader, prefix string) error {
	archive := tar.NewReader(from)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil || errors.Is(err, tar.ErrInsecurePath) { // nothing is extracted
			err = r.ctx.Err()
		}
		if err != nil {
			return err
		}
		path := plainPath(header.Name)
		if path == "" {
			continue // the folder that the archive was made of
		}
		e := Entry{Path: prefix + path, Mode: header.FileInfo().Mode(), Size: header.Size, Link: header.Linkname}
		if header.Typeflag == tar.TypeLink {
			e.Size = 0 // its bytes stand with the other name
		}
		if err := r.add(e); err != nil {
			return err
		}
	}
}

// plainPath writes a path the same whatever archive it comes from. It hides
// nothing: a path that leads outside stays one.
func plainPath(path string) string {
	path = strings.TrimRight(path, "/")
	for strings.HasPrefix(path, "./") {
		path = strings.TrimLeft(path[2:], "/")
	}
	if path == "." {
		return ""
	}
	return path
}
