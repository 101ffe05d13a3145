package artefact

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Codec is how an artefact is compressed to learn its size on the wire. Its
// zero value is the default, gzip:6.
type Codec struct {
	zstd  bool
	level int // of gzip, or the place in zstdLevels; 0 is the default
}

const defaultLevel = 6

// zstdLevels are those of the library, from the fastest.
var zstdLevels = []string{"fastest", "default", "better", "best"}

// codecWords say what ParseCodec takes.
const codecWords = "gzip:1 to gzip:9, or zstd:fastest, zstd:default, zstd:better, zstd:best"

// ParseCodec reads the name of a codec with its level, such as "gzip:6" or
// "zstd:best".
func ParseCodec(text string) (Codec, error) {
	name, level, _ := strings.Cut(text, ":")
	switch name {
	case "gzip":
		if n, err := strconv.Atoi(level); err == nil && n >= 1 && n <= 9 && level == strconv.Itoa(n) {
			return Codec{level: n}, nil
		}
	case "zstd":
		if i := slices.Index(zstdLevels, level); i >= 0 {
			return Codec{zstd: true, level: i}, nil
		}
	}
	return Codec{}, fmt.Errorf("%q is no codec: want %s", text, codecWords)
}

// String is the codec as ParseCodec reads it.
func (c Codec) String() string {
	switch {
	case c.zstd:
		return "zstd:" + zstdLevels[c.level]
	case c.level == 0:
		return fmt.Sprintf("gzip:%d", defaultLevel)
	}
	return fmt.Sprintf("gzip:%d", c.level)
}

// writer compresses into w.
func (c Codec) writer(w io.Writer) (io.WriteCloser, error) {
	switch {
	case c.zstd:
		return zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.EncoderLevel(c.level+1)), zstd.WithEncoderConcurrency(1))
	case c.level == 0:
		return gzip.NewWriterLevel(w, defaultLevel)
	}
	return gzip.NewWriterLevel(w, c.level)
}

// size is how many bytes the codec makes of what write writes.
func (c Codec) size(write func(io.Writer) error) (int64, error) {
	var n counter
	w, err := c.writer(&n)
	if err != nil {
		return 0, err
	}
	if err := write(w); err != nil {
		w.Close()
		return 0, err
	}
	if err := w.Close(); err != nil {
		return 0, err
	}
	return int64(n), nil
}

// counter counts what is written to it.
type counter int64

// Write implements io.Writer.
func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
