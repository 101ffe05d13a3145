package artefact

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// maxTarget is the longest link target that is read out of a zip, in bytes.
const maxTarget = 4096

// zip lists a zip by its directory. The sizes are those that it claims; nothing
// is unpacked but the targets of links, which a zip keeps as content.
func (r *reading) zip(at io.ReaderAt, size int64) error {
	// The library takes the whole directory into memory, so what it reads of it
	// is bounded: the names, for each entry a header with its extras, and the
	// search for the directory's end.
	window := &rationed{from: at, left: r.limits.Names + 128*int64(r.limits.Entries) + 128<<10}
	archive, err := zip.NewReader(window, size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) { // nothing is extracted
		return err
	}
	for _, f := range archive.File {
		if err := r.ctx.Err(); err != nil {
			return err
		}
		path := plainPath(f.Name)
		if path == "" {
			continue
		}
		if f.UncompressedSize64 > uint64(r.limits.Bytes) {
			return r.tooLarge()
		}
		e := Entry{Path: path, Mode: f.Mode(), Size: int64(f.UncompressedSize64)}
		if e.Mode.Type() == fs.ModeSymlink {
			if e.Link, err = r.target(f, window); err != nil {
				return err
			}
		}
		if err := r.add(e); err != nil {
			return err
		}
	}
	return nil
}

// target reads where a link leads.
func (r *reading) target(f *zip.File, window *rationed) (string, error) {
	window.left += 64 << 10 // for this content, which is no part of the directory
	content, err := f.Open()
	if err != nil {
		return "", fmt.Errorf("link %q: %w", f.Name, err)
	}
	defer content.Close()
	target, err := io.ReadAll(io.LimitReader(content, maxTarget+1))
	if err != nil {
		return "", fmt.Errorf("link %q: %w", f.Name, err)
	}
	if len(target) > maxTarget {
		return "", fmt.Errorf("link %q leads to a path of more than %d bytes", f.Name, maxTarget)
	}
	return string(target), nil
}

// rationed stops reading after so many bytes.
type rationed struct {
	from io.ReaderAt
	left int64
}

// ReadAt implements io.ReaderAt.
func (r *rationed) ReadAt(p []byte, off int64) (int, error) {
	if r.left -= int64(len(p)); r.left < 0 {
		return 0, errors.New("its directory is larger than the limits on entries and names allow")
	}
	return r.from.ReadAt(p, off)
}
