// Package artefact reads what a build made: a file, a folder or an archive. It
// tells how large it is on disk and on the wire, and which files it has.
//
// Nothing is ever extracted: an archive is read through, its names are only
// compared and shown. What an archive may cost is bounded, because it may come
// from anywhere.
package artefact

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"slices"
)

// Entry is one file of a folder or an archive.
type Entry struct {
	Path string      // as the archive writes it, with slashes and without a leading "./"
	Mode fs.FileMode // with the type of the file
	Size int64       // bytes of a regular file; 0 for all else
	Link string      // where a symbolic or a hard link leads; empty for all else
}

// Artefact is what is known of one build product.
type Artefact struct {
	Kind string // "file", "folder", "tar", "tar.gz", "tar.xz", "tar.zst", "zip" or "deb"
	// Disk is the size in bytes when it is in use: of a file its length, of a
	// folder the lengths of its files, of an archive those of the files in it.
	Disk int64
	// Wire is the size in bytes when it travels: of an archive that is
	// compressed its length, of all else what the codec makes of it.
	Wire int64
	// WireAs says how Wire came about: the codec, or "as it is".
	WireAs string
	// Entries are sorted by path; nil for a single file.
	Entries []Entry
}

// asItIs is said of archives that are compressed already.
const asItIs = "as it is"

// Limits bound what reading one artefact may cost. Beyond them it is refused.
type Limits struct {
	Entries int   // files, folders and links
	Bytes   int64 // unpacked
	Names   int64 // bytes of all paths and link targets together
}

// DefaultLimits leave room for the largest packages that are common: half a
// million files, 16 GiB unpacked, 64 MiB of names.
func DefaultLimits() Limits {
	return Limits{Entries: 500_000, Bytes: 16 << 30, Names: 64 << 20}
}

// Read measures the file, folder or archive at path, and compresses with codec
// what is not compressed yet. Archives are known by what is in them, not by
// their names. It ends early when ctx does.
func Read(ctx context.Context, path string, codec Codec, limits Limits) (*Artefact, error) {
	a, err := read(ctx, path, codec, limits)
	if err != nil {
		return nil, fmt.Errorf("cannot read artefact %s: %w", path, err)
	}
	return a, nil
}

func read(ctx context.Context, path string, codec Codec, limits Limits) (*Artefact, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, bare(err)
	}
	r := &reading{ctx: ctx, codec: codec, limits: limits}
	switch {
	case info.IsDir():
		return r.folder(path)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("it is %v: want a file, a folder or an archive", info.Mode().Type())
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, bare(err)
	}
	a, err := r.file(f, info.Size(), path)
	return a, errors.Join(err, f.Close())
}

// bare takes the path out of an error that will be wrapped with it anyway.
func bare(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// reading is one artefact on its way through, with what it has cost so far.
type reading struct {
	ctx    context.Context
	codec  Codec
	limits Limits

	entries  []Entry
	names    int64
	unpacked int64 // bytes that came out of a decompressor
}

// add takes an entry. The sizes that an archive claims count against the limit
// whether or not the bytes are there.
func (r *reading) add(e Entry) error {
	if len(r.entries) >= r.limits.Entries {
		return fmt.Errorf("it has more than %d entries, which is the limit", r.limits.Entries)
	}
	r.names += int64(len(e.Path) + len(e.Link))
	if r.names > r.limits.Names {
		return fmt.Errorf("its names have more than %d bytes, which is the limit", r.limits.Names)
	}
	if !e.Mode.IsRegular() {
		e.Size = 0
	}
	if e.Size < 0 || e.Size > r.limits.Bytes {
		return fmt.Errorf("%q claims %d bytes, the limit is %d", e.Path, e.Size, r.limits.Bytes)
	}
	r.entries = append(r.entries, e)
	return nil
}

// inventory returns the entries sorted by path, with the size of those that
// counted says are installed. Of two entries with one path the later one
// counts, as it does for whoever unpacks them.
func (r *reading) inventory(counted func(Entry) bool) ([]Entry, int64, error) {
	slices.SortStableFunc(r.entries, func(a, b Entry) int { return cmp.Compare(a.Path, b.Path) })
	kept, total := []Entry{}, int64(0)
	for i, e := range r.entries {
		if i+1 < len(r.entries) && r.entries[i+1].Path == e.Path {
			continue
		}
		kept = append(kept, e)
		if counted(e) {
			if total > math.MaxInt64-e.Size || total+e.Size > r.limits.Bytes {
				return nil, 0, r.tooLarge()
			}
			total += e.Size
		}
	}
	return kept, total, nil
}

func everything(Entry) bool { return true }

func (r *reading) tooLarge() error {
	return fmt.Errorf("it has more than %d bytes unpacked, which is the limit", r.limits.Bytes)
}

// unpacking counts what comes out of a decompressor, for all of the artefact
// together.
type unpacking struct {
	reading *reading
	from    io.Reader
}

// Read implements io.Reader.
func (u unpacking) Read(p []byte) (int, error) {
	if err := u.reading.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := u.from.Read(p)
	if u.reading.unpacked += int64(n); u.reading.unpacked > u.reading.limits.Bytes {
		return 0, u.reading.tooLarge()
	}
	return n, err
}

// attended ends a long read when its context does.
type attended struct {
	ctx  context.Context
	from io.Reader
}

// Read implements io.Reader.
func (a attended) Read(p []byte) (int, error) {
	if err := a.ctx.Err(); err != nil {
		return 0, err
	}
	return a.from.Read(p)
}
