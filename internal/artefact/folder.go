package artefact

import (
	"archive/tar"
	"errors"
	"io"
	"io/fs"
	"os"
)

// folder reads a folder, whose size on the wire is that of a tar of it. The
// tar has the folder's names, modes and contents in the order of the names,
// and neither times nor owners: the same files always have the same size.
//
// Links are not followed, and what is no file has no bytes. A file with two
// names counts twice.
func (r *reading) folder(path string) (*Artefact, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, bare(err)
	}
	a := &Artefact{Kind: "folder", WireAs: r.codec.String()}
	a.Wire, err = r.codec.size(func(w io.Writer) error { return r.pack(root, w) })
	if err = errors.Join(err, root.Close()); err != nil {
		return nil, err
	}
	a.Entries, a.Disk, err = r.inventory(everything)
	return a, err
}

// pack lists the folder and writes it as a tar.
func (r *reading) pack(root *os.Root, w io.Writer) error {
	archive := tar.NewWriter(w)
	err := fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil {
			err = r.ctx.Err()
		}
		if err != nil || name == "." {
			return err
		}
		e, err := entryOf(root, name, d)
		if err != nil {
			return err
		}
		if err := r.add(e); err != nil {
			return err
		}
		return r.packEntry(root, archive, e)
	})
	if err != nil {
		return err // of which an unfinished tar is only a consequence
	}
	return archive.Close()
}

func entryOf(root *os.Root, name string, d fs.DirEntry) (Entry, error) {
	info, err := d.Info()
	if err != nil {
		return Entry{}, err
	}
	e := Entry{Path: name, Mode: info.Mode(), Size: info.Size()}
	if info.Mode().Type() == fs.ModeSymlink {
		e.Link, err = root.Readlink(name)
	}
	return e, err
}

// packEntry writes one entry. A socket or a device has nothing to travel.
func (r *reading) packEntry(root *os.Root, archive *tar.Writer, e Entry) error {
	header := &tar.Header{Name: e.Path, Linkname: e.Link, Mode: unixMode(e.Mode)}
	switch e.Mode.Type() {
	case 0:
		header.Typeflag, header.Size = tar.TypeReg, e.Size
	case fs.ModeDir:
		header.Typeflag, header.Name = tar.TypeDir, e.Path+"/"
	case fs.ModeSymlink:
		header.Typeflag = tar.TypeSymlink
	default:
		return nil
	}
	if err := archive.WriteHeader(header); err != nil || header.Typeflag != tar.TypeReg {
		return err
	}
	f, err := root.Open(e.Path)
	if err != nil {
		return err
	}
	_, err = io.Copy(archive, attended{r.ctx, f})
	return errors.Join(err, f.Close())
}

// unixMode is the permissions of a mode as a tar has them.
func unixMode(mode fs.FileMode) int64 {
	m := int64(mode.Perm())
	for _, bit := range []struct {
		of   fs.FileMode
		unix int64
	}{{fs.ModeSetuid, 0o4000}, {fs.ModeSetgid, 0o2000}, {fs.ModeSticky, 0o1000}} {
		if mode&bit.of != 0 {
			m |= bit.unix
		}
	}
	return m
}
