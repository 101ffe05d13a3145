package artefact

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// product is what every archive of the tests holds, sorted by path.
var product = []Entry{
	{Path: "bin", Mode: fs.ModeDir | 0o755},
	{Path: "bin/floodgate", Mode: 0o755, Size: 70_000},
	{Path: "bin/ping", Mode: fs.ModeSetuid | 0o755, Size: 10},
	{Path: "etc/empty", Mode: 0o600},
	{Path: "etc/latest", Mode: fs.ModeSymlink | 0o777, Link: "../bin/floodgate"},
}

const productDisk = 70_010

// content is bytes that compress, but not to nothing.
func content(n int64) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * i >> 7)
	}
	return b
}

func makeTar(t testing.TB, prefix string, entries []Entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{Name: prefix + e.Path, Mode: unixMode(e.Mode), Size: e.Size, Typeflag: tar.TypeReg, Linkname: e.Link}
		switch e.Mode.Type() {
		case fs.ModeDir:
			h.Typeflag, h.Name = tar.TypeDir, h.Name+"/"
		case fs.ModeSymlink:
			h.Typeflag = tar.TypeSymlink
		case fs.ModeIrregular: // the tests' word for a hard link
			h.Typeflag = tar.TypeLink
		}
		check(t, w.WriteHeader(h))
		if h.Typeflag == tar.TypeReg {
			_, err := w.Write(content(e.Size))
			check(t, err)
		}
	}
	check(t, w.Close())
	return b.Bytes()
}

func makeZip(t testing.TB, entries []Entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.Path, Method: zip.Deflate}
		h.SetMode(e.Mode)
		text := content(e.Size)
		switch e.Mode.Type() {
		case fs.ModeDir:
			h.Name += "/"
		case fs.ModeSymlink:
			text = []byte(e.Link)
		}
		f, err := w.CreateHeader(h)
		check(t, err)
		if e.Mode.Type() != fs.ModeDir {
			_, err = f.Write(text)
			check(t, err)
		}
	}
	check(t, w.Close())
	return b.Bytes()
}

// makeAr writes members of name and content in turn.
func makeAr(members ...string) []byte {
	b := bytes.NewBufferString(arMagic)
	for i := 0; i+1 < len(members); i += 2 {
		fmt.Fprintf(b, "%-16s%-12d%-6d%-6d%-8s%-10d`\n", members[i], 0, 0, 0, "100644", len(members[i+1]))
		b.WriteString(members[i+1])
		if b.Len()%2 == 1 {
			b.WriteByte('\n')
		}
	}
	return b.Bytes()
}

func packed(t testing.TB, name string, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	var err error
	switch name {
	case "gz":
		w = gzip.NewWriter(&b)
	case "zst":
		w, err = zstd.NewWriter(&b)
	case "xz":
		w, err = xz.NewWriter(&b)
	}
	check(t, err)
	_, err = w.Write(text)
	check(t, err)
	check(t, w.Close())
	return b.Bytes()
}

func makeDeb(t testing.TB, packing string) []byte {
	control := makeTar(t, "./", []Entry{{Path: "control", Mode: 0o644, Size: 300}})
	return makeAr("debian-binary", "2.0\n",
		"control.tar."+packing, string(packed(t, packing, control)),
		"data.tar."+packing, string(packed(t, packing, makeTar(t, "./", product))))
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func readBytes(text []byte, limits Limits) (*Artefact, error) {
	r := &reading{ctx: context.Background(), limits: limits}
	return r.file(bytes.NewReader(text), int64(len(text)), "product.tar")
}

// TestFormats reads one product in every format: the same files, the same size
// on disk. On the wire an archive that is compressed already travels as it is.
func TestFormats(t *testing.T) {
	plain := makeTar(t, "./", product)
	debEntries := append([]Entry{{Path: "DEBIAN/control", Mode: 0o644, Size: 300}}, product...)
	for _, c := range []struct {
		kind    string
		text    []byte
		entries []Entry
		packed  bool
	}{
		{"tar", plain, product, false},
		{"tar.gz", packed(t, "gz", plain), product, true},
		{"tar.zst", packed(t, "zst", plain), product, true},
		{"tar.xz", packed(t, "xz", plain), product, true},
		{"zip", makeZip(t, product), product, true},
		{"deb", makeDeb(t, "gz"), debEntries, true},
		{"deb", makeDeb(t, "xz"), debEntries, true},
		{"deb", makeDeb(t, "zst"), debEntries, true},
		{"tar", make([]byte, 1024), []Entry{}, false},
		{"zip", makeZip(t, nil), []Entry{}, true},
	} {
		t.Run(c.kind, func(t *testing.T) {
			a, err := readBytes(c.text, DefaultLimits())
			check(t, err)
			disk := int64(productDisk)
			if len(c.entries) == 0 {
				disk = 0
			}
			if a.Kind != c.kind || a.Disk != disk {
				t.Errorf("kind %s, %d bytes on disk, want %s, %d", a.Kind, a.Disk, c.kind, disk)
			}
			if asIs := a.WireAs == asItIs && a.Wire == int64(len(c.text)); asIs != c.packed {
				t.Errorf("%d of %d bytes on the wire, %s", a.Wire, len(c.text), a.WireAs)
			}
			if diff := cmp.Diff(c.entries, a.Entries); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestFiles: a single file has sizes and no inventory, compressed or not.
func TestFiles(t *testing.T) {
	text := content(100_000)
	a, err := readBytes(text, DefaultLimits())
	check(t, err)
	if a.Kind != "file" || a.Entries != nil || a.Disk != 100_000 || a.WireAs != "gzip:6" || a.Wire < 1000 || a.Wire > 60_000 {
		t.Errorf("a file: %+v", a)
	}
	small := packed(t, "gz", text)
	if a, err = readBytes(small, DefaultLimits()); err != nil || a.Kind != "file" || a.Disk != int64(len(small)) || a.Wire != a.Disk {
		t.Errorf("a compressed file that is no tar: %+v, %v", a, err)
	}
	if a, err = readBytes(nil, DefaultLimits()); err != nil || a.Kind != "file" || a.Disk != 0 {
		t.Errorf("an empty file: %+v, %v", a, err)
	}
}

// TestFolder reads the product as a folder, through a link to it, and twice:
// the size on the wire must depend on nothing but the files.
func TestFolder(t *testing.T) {
	var wire []int64
	for range 2 {
		dir := t.TempDir()
		for _, e := range product {
			path := filepath.Join(dir, filepath.FromSlash(e.Path))
			check(t, os.MkdirAll(filepath.Dir(path), 0o755))
			switch e.Mode.Type() {
			case fs.ModeDir:
				check(t, os.MkdirAll(path, 0o755))
			case fs.ModeSymlink:
				check(t, os.Symlink(e.Link, path))
				continue
			default:
				check(t, os.WriteFile(path, content(e.Size), 0o600))
			}
			check(t, os.Chmod(path, e.Mode))
		}
		link := filepath.Join(t.TempDir(), "link")
		check(t, os.Symlink(dir, link))
		a, err := Read(t.Context(), link, Codec{}, DefaultLimits())
		check(t, err)
		want := append([]Entry(nil), product[:3]...)
		want = append(want, Entry{Path: "etc", Mode: fs.ModeDir | 0o755})
		if diff := cmp.Diff(append(want, product[3:]...), a.Entries); diff != "" {
			t.Error(diff)
		}
		if a.Kind != "folder" || a.Disk != productDisk || a.WireAs != "gzip:6" {
			t.Errorf("%+v", a)
		}
		wire = append(wire, a.Wire)
	}
	if wire[0] != wire[1] || wire[0] == 0 {
		t.Errorf("the same files have %d and %d bytes on the wire", wire[0], wire[1])
	}
}

// TestSameArchiveTwice: what an archive repeats or links counts once.
func TestSameArchiveTwice(t *testing.T) {
	a, err := readBytes(makeTar(t, "", []Entry{
		{Path: "a", Mode: 0o644, Size: 100},
		{Path: "a", Mode: 0o600, Size: 7},
		{Path: "b", Mode: fs.ModeIrregular | 0o600, Link: "a"},
	}), DefaultLimits())
	check(t, err)
	want := []Entry{{Path: "a", Mode: 0o600, Size: 7}, {Path: "b", Mode: 0o600, Link: "a"}}
	if diff := cmp.Diff(want, a.Entries); diff != "" || a.Disk != 7 {
		t.Errorf("%d bytes on disk, want 7: %s", a.Disk, diff)
	}
}

// TestHostile: archives from anywhere. Nothing is extracted, so a path may say
// what it likes; but nothing may cost more than the limits.
func TestHostile(t *testing.T) {
	small := Limits{Entries: 10, Bytes: 1 << 20, Names: 1 << 10}
	many := make([]Entry, 11)
	for i := range many {
		many[i] = Entry{Path: fmt.Sprint(i), Mode: 0o644}
	}
	long := []Entry{{Path: strings.Repeat("x", 2000), Mode: 0o644}}
	bomb := makeTar(t, "", []Entry{{Path: "bomb", Mode: 0o644, Size: 2 << 20}})
	claim := makeZip(t, []Entry{{Path: "a", Mode: 0o644, Size: 5}})
	directory := bytes.LastIndex(claim, []byte("PK\x01\x02"))
	copy(claim[directory+24:], "\xfe\xff\xff\xff") // the size in the directory
	greedy := packed(t, "xz", bomb[:2048])
	greedy[12+4] = 40 // the dictionary: 4 GiB
	if greedy[12+2] != 0x21 {
		t.Fatal("the filter of the block does not stand where it is thought to")
	}
	for _, c := range []struct {
		what string
		text []byte
		want string
	}{
		{"many entries in a tar", makeTar(t, "", many), "more than 10 entries"},
		{"many entries in a zip", makeZip(t, many), "more than 10 entries"},
		{"a long name", makeTar(t, "", long), "names have more than 1024 bytes"},
		{"a long name in a zip", makeZip(t, long), "names have more than 1024 bytes"},
		{"a large directory in a zip", makeZip(t, []Entry{{Path: strings.Repeat("x", 65_000)}, {Path: strings.Repeat("y", 65_000)}, {Path: strings.Repeat("z", 65_000)}}), "directory is larger than the limits"},
		{"a large file", bomb, "claims 2097152 bytes, the limit is 1048576"},
		{"a bomb in gzip", packed(t, "gz", bomb), "claims 2097152 bytes"},
		{"many files that are small each", makeTar(t, "", []Entry{{Path: "a", Size: 700_000}, {Path: "b", Size: 700_000}}), "more than 1048576 bytes unpacked"},
		{"a zip that claims much", claim, "more than 1048576 bytes unpacked"},
		{"a dictionary of 4 GiB", greedy, "dictionary of more than 134217728 bytes"},
		{"a tar that is cut off", makeTar(t, "", product)[:9000], "unexpected EOF"},
		{"a tar.gz that is cut off", packed(t, "gz", makeTar(t, "", product))[:200], "unexpected EOF"},
		{"a zip that is cut off", makeZip(t, product)[:200], "not a valid zip"},
		{"an xz that is cut off", packed(t, "xz", bomb)[:100], "unexpected EOF"},
		{"a deb without files", makeAr("debian-binary", "2.0\n"), "it has no data.tar"},
		{"a deb with a strange archive", makeAr("debian-binary", "2.0\n", "data.tar.bz2", "BZh9"), "data.tar.bz2: want a tar"},
		{"a deb that is cut off", makeDeb(t, "gz")[:100], "cut off"},
		{"a deb of many members", makeAr(append([]string{"debian-binary", ""}, make([]string, 200)...)...), "more than 64 members"},
	} {
		t.Run(c.what, func(t *testing.T) {
			_, err := readBytes(c.text, small)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	outside, err := readBytes(makeTar(t, "", []Entry{{Path: "../../etc/passwd", Mode: 0o644, Size: 3}, {Path: "/abs", Mode: 0o644}}), small)
	check(t, err)
	if outside.Entries[0].Path != "../../etc/passwd" || outside.Entries[1].Path != "/abs" {
		t.Errorf("paths that lead outside are shown as they are: %+v", outside.Entries)
	}
}

// TestManyBlocks: xz writes large files as several blocks; all are walked.
func TestManyBlocks(t *testing.T) {
	var b bytes.Buffer
	w, err := xz.WriterConfig{BlockSize: 10_000, DictCap: 1 << 16}.NewWriter(&b)
	check(t, err)
	_, err = w.Write(makeTar(t, "", product))
	check(t, err)
	check(t, w.Close())
	if a, err := readBytes(b.Bytes(), DefaultLimits()); err != nil || a.Disk != productDisk {
		t.Errorf("%+v, %v", a, err)
	}
	// The dictionary of the second block, found by its filter.
	text := b.Bytes()
	second := bytes.Index(text[30:], []byte{0x21, 1, 8}) + 30
	text[second+2] = 40
	if _, err := readBytes(text, DefaultLimits()); err == nil || !strings.Contains(err.Error(), "dictionary of more than") {
		t.Errorf("the second block asks for 4 GiB: %v", err)
	}
}

func TestReadRefuses(t *testing.T) {
	dir := t.TempDir()
	if _, err := Read(t.Context(), filepath.Join(dir, "nothing"), Codec{}, DefaultLimits()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing there: %v", err)
	}
	if _, err := Read(t.Context(), os.DevNull, Codec{}, DefaultLimits()); err == nil || !strings.Contains(err.Error(), "want a file, a folder or an archive") {
		t.Errorf("a device: %v", err)
	}
	check(t, os.WriteFile(filepath.Join(dir, "file"), content(1000), 0o644))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, path := range []string{dir, filepath.Join(dir, "file")} {
		if _, err := Read(ctx, path, Codec{}, DefaultLimits()); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
	}
}

func TestCodecs(t *testing.T) {
	text := content(200_000)
	sizes := map[string]int64{}
	for _, name := range []string{"gzip:1", "gzip:6", "gzip:9", "zstd:fastest", "zstd:default", "zstd:better", "zstd:best"} {
		c, err := ParseCodec(name)
		check(t, err)
		if c.String() != name {
			t.Errorf("%s comes back as %s", name, c)
		}
		sizes[name], err = c.size(func(w io.Writer) error { _, err := w.Write(text); return err })
		check(t, err)
		if sizes[name] == 0 || sizes[name] >= int64(len(text)) {
			t.Errorf("%s makes %d bytes of %d", name, sizes[name], len(text))
		}
	}
	if sizes["gzip:9"] > sizes["gzip:1"] || (Codec{}).String() != "gzip:6" {
		t.Errorf("levels are not told apart: %v", sizes)
	}
	for _, name := range []string{"", "gzip", "gzip:0", "gzip:10", "gzip:06", "zstd", "zstd:3", "xz:6"} {
		if _, err := ParseCodec(name); err == nil {
			t.Errorf("%q is taken for a codec", name)
		}
	}
}

// FuzzFile: whatever the bytes, reading them ends with an error or with
// entries that keep to the limits.
func FuzzFile(f *testing.F) {
	limits := Limits{Entries: 100, Bytes: 1 << 20, Names: 1 << 12}
	plain := makeTar(f, "", []Entry{{Path: "a/b", Mode: 0o755, Size: 600}, {Path: "l", Mode: fs.ModeSymlink, Link: "a"}})
	for _, seed := range [][]byte{plain, packed(f, "gz", plain), packed(f, "zst", plain), packed(f, "xz", plain), makeZip(f, product[1:]), makeDeb(f, "gz")} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		a, err := readBytes(text, limits)
		if err != nil {
			return
		}
		total := int64(0)
		for i, e := range a.Entries {
			total += e.Size
			if i > 0 && a.Entries[i-1].Path >= e.Path {
				t.Errorf("%q does not come after %q", e.Path, a.Entries[i-1].Path)
			}
		}
		if len(a.Entries) > limits.Entries || a.Kind != "file" && (a.Disk > limits.Bytes || total < a.Disk) {
			t.Errorf("beyond the limits: %d entries, %d bytes of %d", len(a.Entries), a.Disk, total)
		}
	})
}
