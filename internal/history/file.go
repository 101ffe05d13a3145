package history

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
)

// maxFile bounds what is taken into memory, in bytes: some hundred thousand
// lines.
const maxFile = 256 << 20

// Read returns the lines of the file, by time. A last line that breaks off is
// left out, with a warning; anything else that is no line of this schema is an
// error.
func Read(path string) (lines []Line, warnings []string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot read history %s: %w", path, bare(err))
	}
	defer f.Close()
	c, err := load(f)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot read history %s: %w", path, err)
	}
	if c.cut > 0 {
		warnings = append(warnings, fmt.Sprintf("the last line of %s breaks off after %d bytes and is left out: whatever wrote it was stopped, add that run again", path, c.cut))
	}
	// Branches that were merged stand one after the other.
	slices.SortStableFunc(c.lines, func(a, b Line) int { return a.Time.Compare(b.Time) })
	return c.lines, warnings, nil
}

func load(f *os.File) (content, error) {
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return content{}, bare(err)
	}
	if len(text) > maxFile {
		return content{}, fmt.Errorf("it has more than %d bytes", maxFile)
	}
	return parse(text)
}

// Append adds those lines to the file that are not in it yet, and makes the
// file if there is none. All of them go out in one write while the file is
// locked, so that two that add at once do not mix. A last line that breaks off
// is taken away first, with a warning. A file that cannot be read is left as it
// is.
func Append(path string, lines []Line) (added int, warnings []string, err error) {
	if added, warnings, err = appendTo(path, lines); err != nil {
		return 0, nil, fmt.Errorf("cannot add to history %s: %w", path, err)
	}
	return added, warnings, nil
}

func appendTo(path string, lines []Line) (added int, warnings []string, err error) {
	if _, err := encode(lines); err != nil {
		return 0, nil, err // before there is a file
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return 0, nil, bare(err)
	}
	defer func() { err = errors.Join(err, bare(f.Close())) }()
	if err := lock(f); err != nil {
		return 0, nil, fmt.Errorf("locking it: %w", bare(err))
	}
	c, err := load(f)
	if err != nil {
		return 0, nil, err
	}
	if c.cut > 0 {
		if err := f.Truncate(int64(c.whole)); err != nil {
			return 0, nil, bare(err)
		}
		warnings = append(warnings, fmt.Sprintf("the last line of %s broke off after %d bytes and was taken away: whatever wrote it was stopped, add that run again", path, c.cut))
	}
	fresh := missing(c.lines, lines)
	text, err := encode(fresh)
	if err != nil || len(fresh) == 0 {
		return 0, warnings, err
	}
	if c.open {
		text = append([]byte("\n"), text...)
	}
	if _, err := f.Write(text); err != nil {
		return 0, warnings, bare(err)
	}
	return len(fresh), warnings, bare(f.Sync())
}

// bare takes the path out of an error that will be wrapped with it anyway.
func bare(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
