// Package forward turns series into compressed batches and uploads them.
//
// A BatchEncoder streams: every record goes straight into the compressor, so
// that a batch exists in memory once, compressed. A Forwarder drives one for
// the series of a cut and uploads each finished batch, with retries.
package forward

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"floodgate/internal/payload"
)

// ErrUpload marks what the network or the intake refused: the batch was well
// made, and sending it again may help. Errors of the encoder do not match it.
var ErrUpload = errors.New("upload failed")

// Batch is one finished body on its way out.
type Batch struct {
	Number   int    // from 1, per encoder
	Final    bool   // no batch follows in this stream
	Body     []byte // compressed; valid until the upload returns
	Encoding string // for the header Content-Encoding
	Raw      int64  // bytes before compression
	Records  int
	Messages int64 // that the records stand for
}

// Upload sends one batch. It returns an error that matches ErrUpload when
// sending the same batch later may succeed.
type Upload func(ctx context.Context, b Batch) error

// EncoderConfig sets up a BatchEncoder.
type EncoderConfig struct {
	Encoding string // one of payload.Encodings
	// ThresholdBytes of compressed body after which a batch is sent. It is soft:
	// the compressor holds input back, so that a body exceeds it by what one
	// block compresses to. 0 or less sends every record as a batch of its own.
	ThresholdBytes int
	// MaxRawBytes of body before compression after which a batch is sent, because
	// intakes limit that too; 0 is no limit.
	MaxRawBytes int64
	// MaxRecords after which a batch is sent; 0 is no limit.
	MaxRecords int
	// Open begins the body of every batch, Close ends it; nil is nothing. Records
	// between them are joined by commas, unless they are Packed: those stand one
	// after the other as they are.
	Open   string
	Close  func(final bool) string
	Packed bool
	// Buffered is not how it should be done, but what streaming is compared with:
	// records are gathered one by one, joined to a body, and compressed from it,
	// so that a batch is held three times over. Batches are sent by MaxRecords,
	// which must be above 0, and by nothing else. The bodies are the same.
	Buffered bool
}

// BatchEncoder streams records into compressed batches. It belongs to one
// goroutine. After an error that does not match ErrUpload it refuses further
// use, because the stream is broken in the middle; after ErrUpload the batch is
// gone (its upload owned the retries) and the encoder is ready for the next.
type BatchEncoder struct {
	config   EncoderConfig
	upload   Upload
	writer   payload.Writer
	body     bytes.Buffer
	pending  []byte   // records not yet given to the compressor
	held     [][]byte // records of a batch, when Buffered
	raw      int64
	records  int
	messages int64
	number   int
	broken   error
}

// pendingLen is how many bytes of records are gathered before the compressor
// is called: its calls cost more than a copy.
const pendingLen = 16 << 10

// NewBatchEncoder returns an encoder that hands finished batches to upload. An
// encoding that does not exist is an error.
func NewBatchEncoder(config EncoderConfig, upload Upload) (*BatchEncoder, error) {
	writer, err := payload.NewWriter(config.Encoding, nil)
	if err != nil {
		return nil, fmt.Errorf("cannot encode batches: %w", err)
	}
	if config.Close == nil {
		config.Close = func(bool) string { return "" }
	}
	e := &BatchEncoder{config: config, upload: upload, writer: writer}
	switch {
	case !config.Buffered:
		e.pending = make([]byte, 0, 2*pendingLen)
	case config.MaxRecords <= 0:
		return nil, fmt.Errorf("cannot encode batches: those that are buffered have at most %d records, want 1 or more", config.MaxRecords)
	}
	return e, nil
}

// Add appends one record: record appends it to the slice it is given and
// returns the result. messages is what the record stands for. When the batch
// has reached a threshold it is uploaded, and the error is that of the upload.
func (e *BatchEncoder) Add(ctx context.Context, messages int64, record func(dst []byte) []byte) error {
	if e.broken != nil {
		return e.broken
	}
	e.messages += messages
	if e.config.Buffered {
		e.held = append(e.held, record(nil))
		e.records++
		return e.flushFull(ctx)
	}
	e.separate()
	e.pending = record(e.pending)
	e.records++
	if e.config.MaxRecords > 0 && e.records >= e.config.MaxRecords {
		return e.Flush(ctx, false)
	}
	if len(e.pending) < pendingLen && e.config.ThresholdBytes > 0 {
		return nil
	}
	if err := e.compress(); err != nil {
		return err
	}
	if e.Size() >= e.config.ThresholdBytes || e.config.MaxRawBytes > 0 && e.raw >= e.config.MaxRawBytes {
		return e.Flush(ctx, false)
	}
	return nil
}

// Size is the compressed length of the batch so far: a lower bound, because
// the compressor holds input back. Of a buffered batch nothing is compressed.
func (e *BatchEncoder) Size() int { return e.body.Len() }

// Flush finishes the batch and uploads it. A batch without records is not
// sent, unless it is final: then its empty body is what tells the receiver that
// the stream has ended.
func (e *BatchEncoder) Flush(ctx context.Context, final bool) error {
	if e.broken != nil {
		return e.broken
	}
	if e.records == 0 && !final {
		return nil
	}
	if e.records == 0 || e.config.Buffered {
		e.begin()
	}
	e.join()
	e.pending = append(e.pending, e.config.Close(final)...)
	if err := e.compress(); err != nil {
		return err
	}
	if err := e.writer.Close(); err != nil {
		return e.breakOff(err)
	}
	e.number++
	b := Batch{Number: e.number, Final: final, Body: e.body.Bytes(), Encoding: e.config.Encoding,
		Raw: e.raw, Records: e.records, Messages: e.messages}
	e.records, e.messages, e.raw = 0, 0, 0
	err := e.upload(ctx, b)
	if e.config.Buffered {
		e.held, e.pending = nil, nil // not before: that is the point of it
	}
	return err
}

func (e *BatchEncoder) begin() {
	e.body.Reset()
	e.writer.Reset(&e.body)
	e.pending = append(e.pending[:0], e.config.Open...)
}

// separate appends what stands before a record.
func (e *BatchEncoder) separate() {
	switch {
	case e.records == 0:
		e.begin()
	case !e.config.Packed:
		e.pending = append(e.pending, ',')
	}
}

// flushFull sends a buffered batch that has all its records.
func (e *BatchEncoder) flushFull(ctx context.Context) error {
	if e.records < e.config.MaxRecords {
		return nil
	}
	return e.Flush(ctx, false)
}

// join appends the records of a buffered batch to its body.
func (e *BatchEncoder) join() {
	for i, record := range e.held {
		if i > 0 && !e.config.Packed {
			e.pending = append(e.pending, ',')
		}
		e.pending = append(e.pending, record...)
	}
}

func (e *BatchEncoder) compress() error {
	n, err := e.writer.Write(e.pending)
	e.raw += int64(n)
	e.pending = e.pending[:0]
	if err != nil {
		return e.breakOff(err)
	}
	return nil
}

func (e *BatchEncoder) breakOff(err error) error {
	e.broken = fmt.Errorf("cannot encode batch %d: %w", e.number+1, err)
	return e.broken
}
