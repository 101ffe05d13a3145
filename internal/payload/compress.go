package payload

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

// Names of the encodings, as the header Content-Encoding has them. Deflate is
// the zlib stream of RFC 1950, as HTTP defines it.
const (
	Identity = "identity"
	Gzip     = "gzip"
	Deflate  = "deflate"
	Zstd     = "zstd"
)

// Encodings lists every encoding that NewReader and NewWriter know.
var Encodings = []string{Identity, Gzip, Deflate, Zstd}

// Errors of NewReader, NewWriter and the readers.
var (
	// ErrEncoding says that an encoding is none of Encodings.
	ErrEncoding = errors.New("unknown encoding")
	// ErrTooLarge says that a body is larger than its limit once decoded.
	ErrTooLarge = errors.New("body is larger than its limit")
)

const (
	writerWindow = 128 << 10 // bytes of the zstd window that we write
	readerWindow = 32 << 20  // bytes of the largest zstd window that we read
)

// Writer compresses what is written to it. Flush writes out everything so far,
// Close also ends the stream; neither touches the writer below. After Reset it
// is as good as new, with its memory kept.
type Writer interface {
	io.WriteCloser
	Flush() error
	Reset(w io.Writer)
}

// NewWriter returns a writer that compresses to w with the fastest level of
// encoding. w may be nil if Reset gives one before the first Write. It runs no
// goroutines. An unknown encoding is ErrEncoding.
func NewWriter(encoding string, w io.Writer) (Writer, error) {
	switch encoding {
	case Identity:
		return &identityWriter{w}, nil
	case Gzip:
		return gzip.NewWriterLevel(w, gzip.BestSpeed)
	case Deflate:
		return zlib.NewWriterLevel(w, zlib.BestSpeed)
	case Zstd:
		// More than one worker would start goroutines. The window fits into a
		// core's own cache: series resemble their neighbours, and a longer memory
		// costs more time than it saves bytes (compare BenchmarkFlush in
		// server/forward).
		return zstd.NewWriter(w,
			zstd.WithEncoderLevel(zstd.SpeedFastest),
			zstd.WithEncoderConcurrency(1),
			zstd.WithWindowSize(writerWindow),
			zstd.WithLowerEncoderMem(true))
	}
	return nil, unknownEncoding(encoding)
}

// NewReader returns a reader of the decoded bytes of r. Reading more than limit
// of them fails with ErrTooLarge; a limit below 0 is none. Close gives the
// decompressor back for the next body and leaves r alone; the reader is dead
// from then on. It runs no goroutines. An unknown encoding is ErrEncoding. Some
// encodings read their header here already, so that a broken one fails at once.
func NewReader(encoding string, r io.Reader, limit int64) (io.ReadCloser, error) {
	body := &bodyReader{limit: limit}
	switch encoding {
	case Identity:
		body.source = r
		return body, nil
	case Gzip:
		body.pool = &gzipReaders
	case Deflate:
		body.pool = &zlibReaders
	case Zstd:
		body.pool = &zstdReaders
	default:
		return nil, unknownEncoding(encoding)
	}
	source, err := takeReader(body.pool, encoding, r)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF // an empty body has no header
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the header of a %s body: %w", encoding, err)
	}
	body.source = source
	return body, nil
}

func unknownEncoding(encoding string) error {
	return fmt.Errorf("%w %q, want one of %s", ErrEncoding, encoding, strings.Join(Encodings, ", "))
}

// The idle decompressors. Each is a few hundred KiB to build, and none has a
// goroutine, so that the garbage collector may drop them at any time.
var gzipReaders, zlibReaders, zstdReaders sync.Pool

// takeReader returns a decompressor of r, a used one where there is one.
func takeReader(pool *sync.Pool, encoding string, r io.Reader) (io.Reader, error) {
	idle := pool.Get()
	switch encoding {
	case Gzip:
		if idle == nil {
			return gzip.NewReader(r)
		}
		z := idle.(*gzip.Reader)
		return z, z.Reset(r)
	case Deflate:
		if idle == nil {
			return zlib.NewReader(r)
		}
		z := idle.(io.Reader)
		return z, z.(zlib.Resetter).Reset(r, nil)
	}
	if idle == nil {
		return zstd.NewReader(r,
			zstd.WithDecoderConcurrency(1),
			zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(readerWindow),
			// Small buffers would otherwise be decoded in one go, past any limit.
			zstd.WithDecodeBuffersBelow(0))
	}
	z := idle.(*zstd.Decoder)
	return z, z.Reset(r)
}

// bodyReader counts what a decompressor yields.
type bodyReader struct {
	source io.Reader // nil once closed
	pool   *sync.Pool
	limit  int64
	read   int64
}

var errClosed = errors.New("body is closed")

func (b *bodyReader) Read(p []byte) (int, error) {
	if b.source == nil {
		return 0, errClosed
	}
	n, err := b.source.Read(p)
	b.read += int64(n)
	if over := b.read - b.limit; b.limit >= 0 && over > 0 {
		b.read = b.limit
		return n - int(min(over, int64(n))), fmt.Errorf("%w of %d bytes", ErrTooLarge, b.limit)
	}
	return n, err
}

// Close is for the owner alone: not at the same time as Read.
func (b *bodyReader) Close() error {
	if b.source == nil {
		return nil
	}
	if z, ok := b.source.(*zstd.Decoder); ok && z.Reset(nil) != nil {
		b.pool = nil // a decoder that cannot be reset is not used again
	}
	if b.pool != nil {
		b.pool.Put(b.source)
	}
	b.source = nil
	return nil
}

type identityWriter struct{ w io.Writer }

func (w *identityWriter) Write(p []byte) (int, error) { return w.w.Write(p) }
func (w *identityWriter) Flush() error                { return nil }
func (w *identityWriter) Close() error                { return nil }
func (w *identityWriter) Reset(to io.Writer)          { w.w = to }
