package artefact

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// A Debian package is an ar archive with three members: its version, what the
// package manager needs, and the files to be installed.
const (
	arMagic   = "!<arch>\n"
	arHeader  = 60
	debFirst  = "debian-binary"
	debFolder = "DEBIAN/" // where the package manager's own files are listed
	// maxMembers bounds the members of the outer archive; packages have three,
	// or four when they are signed.
	maxMembers = 64
)

func isDeb(head []byte) bool {
	return bytes.HasPrefix(head, []byte(arMagic)) && bytes.HasPrefix(head[len(arMagic):], []byte(debFirst))
}

// installed leaves out what the package manager keeps for itself.
func installed(e Entry) bool { return !strings.HasPrefix(e.Path, debFolder) }

// deb lists both archives of a Debian package.
func (r *reading) deb(whole *io.SectionReader) error {
	found := false
	offset := int64(len(arMagic))
	for range maxMembers {
		name, size, err := arMember(whole, offset)
		if errors.Is(err, io.EOF) && found {
			return nil
		}
		if err != nil {
			return err
		}
		member := io.NewSectionReader(whole, offset+arHeader, size)
		switch {
		case strings.HasPrefix(name, "control.tar"):
			err = r.debTar(member, debFolder)
		case strings.HasPrefix(name, "data.tar"):
			found = true
			err = r.debTar(member, "")
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		offset += arHeader + size + size%2
	}
	return fmt.Errorf("it has more than %d members", maxMembers)
}

// arMember reads the header of a member, and io.EOF behind the last one.
func arMember(whole *io.SectionReader, offset int64) (name string, size int64, err error) {
	if offset >= whole.Size() {
		return "", 0, fmt.Errorf("it has no data.tar: %w", io.EOF)
	}
	header := make([]byte, arHeader)
	if _, err := whole.ReadAt(header, offset); err != nil {
		return "", 0, fmt.Errorf("the header of a member is cut off: %w", io.ErrUnexpectedEOF)
	}
	name = strings.TrimRight(string(header[:16]), " /")
	size, err = strconv.ParseInt(strings.TrimRight(string(header[48:58]), " "), 10, 64)
	if err != nil || size < 0 || size > whole.Size()-offset-arHeader || string(header[58:]) != "`\n" {
		return "", 0, fmt.Errorf("the header of member %q is damaged", name)
	}
	return name, size, nil
}

// debTar lists a tar, compressed or not.
func (r *reading) debTar(member *io.SectionReader, prefix string) error {
	head, err := headOf(member)
	if err != nil {
		return err
	}
	p, packed := packingOf(head)
	if !packed {
		if !isTar(head, ".tar") {
			return errors.New("want a tar, plain or compressed with gzip, xz or zstd")
		}
		return r.tar(member, prefix)
	}
	unpacked, err := r.packedTar(p, member, prefix, ".tar")
	if err == nil && !unpacked {
		err = errors.New("there is no tar in it")
	}
	return err
}
