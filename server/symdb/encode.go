package symdb

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"floodgate/internal/payload"
	"floodgate/server/forward"
)

// language is what all uploads say about the program.
const language = "go"

// encoding is the compression of the attachment, which its name promises too.
const encoding = payload.Gzip

// head is what a batch tells before its scopes.
type head struct {
	Service  string `json:"service"`
	Version  string `json:"version"`
	Language string `json:"language"`
	UploadID string `json:"upload_id"`
	BatchNum int    `json:"batch_num"` // from 1
}

// body is a whole batch, as the receiver reads it.
type body struct {
	head
	Scopes []Scope `json:"scopes"`
	Final  bool    `json:"final"` // no batch follows
}

// encoder makes batches of packages and hands them on. Errors that match
// forward.ErrUpload concern the batch alone; after any other it is of no use.
type encoder interface {
	// Add takes one package. The encoder may keep it until its batch is sent.
	Add(ctx context.Context, p Scope) error
	// Flush sends what is not yet sent: nothing for nothing, unless it is final.
	Flush(ctx context.Context, final bool) error
}

// streamer writes each package into the compressor at once. Besides the
// compressed batch it holds one package as JSON.
type streamer struct {
	head    head
	encoder *forward.BatchEncoder
	text    bytes.Buffer // the package at hand
	json    *json.Encoder
	begun   bool // the batch at hand has its head
}

func newStreamer(h head, threshold int, upload forward.Upload) (*streamer, error) {
	s := &streamer{head: h}
	s.head.BatchNum = 1
	s.json = json.NewEncoder(&s.text)
	var err error
	s.encoder, err = forward.NewBatchEncoder(forward.EncoderConfig{
		Encoding: encoding, ThresholdBytes: threshold,
		// The head has the number of the batch, so that the first record brings it
		// along, or the end if there is none.
		Close: func(final bool) string { return fmt.Sprintf(`%s],"final":%t}`, s.begin(nil), final) },
	}, func(ctx context.Context, b forward.Batch) error {
		s.begun, s.head.BatchNum = false, b.Number+1
		return upload(ctx, b)
	})
	return s, err
}

func (s *streamer) Add(ctx context.Context, p Scope) error {
	s.text.Reset()
	if err := s.json.Encode(&p); err != nil {
		return fmt.Errorf("cannot encode package %q: %w", p.Name, err)
	}
	text := bytes.TrimSuffix(s.text.Bytes(), []byte("\n"))
	return s.encoder.Add(ctx, int64(p.Functions()), func(dst []byte) []byte { return append(s.begin(dst), text...) })
}

func (s *streamer) Flush(ctx context.Context, final bool) error { return s.encoder.Flush(ctx, final) }

// begin appends the head of the batch if it is not there yet.
func (s *streamer) begin(dst []byte) []byte {
	if s.begun {
		return dst
	}
	s.begun = true
	text, err := json.Marshal(s.head)
	if err != nil {
		panic(err) // strings and a number
	}
	dst = append(dst, text[:len(text)-1]...) // leave the object open
	return append(dst, `,"scopes":[`...)
}

// bufferer gathers packages, and makes a batch of them at the end. It holds the
// batch three times: as scopes, as JSON and compressed.
type bufferer struct {
	head         head
	maxFunctions int
	upload       forward.Upload
	scopes       []Scope
	functions    int
}

func (b *bufferer) Add(ctx context.Context, p Scope) error {
	b.scopes = append(b.scopes, p)
	b.functions += p.Functions()
	if b.functions >= b.maxFunctions {
		return b.Flush(ctx, false)
	}
	return nil
}

func (b *bufferer) Flush(ctx context.Context, final bool) error {
	if len(b.scopes) == 0 {
		if !final {
			return nil
		}
		b.scopes = []Scope{} // which is [] in JSON, and not null
	}
	b.head.BatchNum++
	broken := func(err error) error { return fmt.Errorf("cannot encode batch %d: %w", b.head.BatchNum, err) }
	text, err := json.Marshal(body{b.head, b.scopes, final})
	if err != nil {
		return broken(err)
	}
	var compressed bytes.Buffer
	w, err := payload.NewWriter(encoding, &compressed)
	if err != nil {
		return broken(err)
	}
	if _, err := w.Write(text); err != nil {
		return broken(err)
	}
	if err := w.Close(); err != nil {
		return broken(err)
	}
	err = b.upload(ctx, forward.Batch{
		Number: b.head.BatchNum, Final: final, Body: compressed.Bytes(), Encoding: encoding,
		Raw: int64(len(text)), Records: len(b.scopes), Messages: int64(b.functions),
	})
	b.scopes, b.functions = nil, 0
	return err
}
