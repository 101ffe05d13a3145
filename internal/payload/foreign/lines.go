package foreign

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// defaultLineBytes is the longest line of a Decoder that says nothing else.
const defaultLineBytes = 64 << 10

// LineError says that some lines of a body are not what they should be. All
// others have been visited.
type LineError struct {
	Bad, Lines int
	First      error // what is wrong with the first bad one
}

// Error names the first bad line.
func (e *LineError) Error() string {
	return fmt.Sprintf("cannot decode %d of %d lines, first %v", e.Bad, e.Lines, e.First)
}

// Unwrap returns First.
func (e *LineError) Unwrap() error { return e.First }

// lineReader hands out lines without copying them.
type lineReader struct {
	buffer *bufio.Reader
	size   int
}

var errLineTooLong = errors.New("it is too long")

// each reads r to its end and calls parse for each line that is not empty,
// without its end. What parse finds bad is collected; then visit is not called.
// An error of visit or of r ends the reading.
func (l *lineReader) each(r io.Reader, limit int, parse func(line []byte) error, visit func() error) error {
	if limit <= 0 {
		limit = defaultLineBytes
	}
	if l.buffer == nil || l.size != limit {
		l.buffer, l.size = bufio.NewReaderSize(nil, limit+2), limit // and \r\n
	}
	l.buffer.Reset(r)
	defer l.buffer.Reset(nil)
	faults := &LineError{}
	for {
		line, fault, err := l.next()
		if err != nil && err != io.EOF {
			return err
		}
		if len(line) > 0 {
			faults.Lines++
			if fault == nil {
				fault = parse(line)
			}
			if fault != nil {
				faults.add(line, fault)
			} else if visitErr := visit(); visitErr != nil {
				return visitErr
			}
		}
		if err == io.EOF {
			break
		}
	}
	if faults.Bad > 0 {
		return faults
	}
	return nil
}

// next returns the next line, or the beginning of one that is too long. err is
// of the reader, at the end of the last line io.EOF.
func (l *lineReader) next() (line []byte, fault, err error) {
	line, err = l.buffer.ReadSlice('\n')
	if err == bufio.ErrBufferFull {
		line, fault = bytes.Clone(line), errLineTooLong
		for err == bufio.ErrBufferFull {
			_, err = l.buffer.ReadSlice('\n')
		}
		return line, fault, err
	}
	line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
	if len(line) > l.size {
		fault = errLineTooLong
	}
	return line, fault, err
}

func (e *LineError) add(line []byte, fault error) {
	e.Bad++
	if e.First == nil {
		e.First = fmt.Errorf("line %d, %.40q: %w", e.Lines, line, fault)
	}
}
