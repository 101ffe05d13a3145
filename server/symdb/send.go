package symdb

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/textproto"

	"floodgate/server/forward"
)

// StatusError is an answer of the intake that was not a success.
type StatusError struct {
	Code int // of HTTP
}

// Error names the status.
func (e *StatusError) Error() string {
	return fmt.Sprintf("intake answered %d %s", e.Code, http.StatusText(e.Code))
}

// again reports whether the same request may succeed later.
func (e *StatusError) again() bool {
	return e.Code == http.StatusTooManyRequests || e.Code == http.StatusRequestTimeout || e.Code >= 500
}

// event is the second part of a request. It repeats what a receiver wants to
// know without unpacking the first.
type event struct {
	Source         string `json:"ddsource"`
	Service        string `json:"service"`
	Version        string `json:"version"`
	Language       string `json:"language"`
	RuntimeID      string `json:"runtimeId"`
	Type           string `json:"type"`
	UploadID       string `json:"uploadId"`
	BatchNum       int    `json:"batchNum"`
	Final          bool   `json:"final"`
	AttachmentSize int    `json:"attachmentSize"` // bytes of the first part, compressed
}

// form is a multipart request around a batch that is not copied into it.
type form struct {
	head, file, tail []byte
	contentType      string
}

// newForm puts the batch into a form: the file first, because the event tells
// its size.
func (c *Client) newForm(b forward.Batch) (form, error) {
	e, err := json.Marshal(event{
		Source: "dd_debugger", Service: c.config.Service, Version: c.config.Version, Language: language,
		RuntimeID: c.config.RuntimeID, Type: "symdb", UploadID: c.config.UploadID,
		BatchNum: b.Number, Final: b.Final, AttachmentSize: len(b.Body),
	})
	if err != nil {
		return form{}, err
	}
	var text bytes.Buffer
	w := multipart.NewWriter(&text)
	part := func(name, file, contentType string) (io.Writer, error) {
		return w.CreatePart(textproto.MIMEHeader{
			"Content-Disposition": {fmt.Sprintf(`form-data; name="%s"; filename="%s"`, name, file)},
			"Content-Type":        {contentType},
		})
	}
	if _, err := part("file", "file.gz", "application/gzip"); err != nil {
		return form{}, err
	}
	split := text.Len() // where the file belongs
	p, err := part("event", "event.json", "application/json")
	if err != nil {
		return form{}, err
	}
	if _, err := p.Write(e); err != nil {
		return form{}, err
	}
	if err := w.Close(); err != nil {
		return form{}, err
	}
	return form{head: text.Bytes()[:split], file: b.Body, tail: text.Bytes()[split:], contentType: w.FormDataContentType()}, nil
}

func (f *form) length() int64 { return int64(len(f.head) + len(f.file) + len(f.tail)) }

// open reads the form from its beginning.
func (f *form) open() io.Reader {
	return io.MultiReader(bytes.NewReader(f.head), bytes.NewReader(f.file), bytes.NewReader(f.tail))
}

// send uploads one batch until it is acknowledged, refused for good, or given
// up. Attempts back off as those of the forwarder do.
func (c *Client) send(ctx context.Context, b forward.Batch) error {
	f, err := c.newForm(b)
	if err != nil {
		return fmt.Errorf("cannot put batch %d into a form: %w", b.Number, err)
	}
	// A repeated body must not be counted twice: an intake can tell by this key.
	key := rand.Text()
	err = forward.Insist(ctx, c.config.RetryFor, &c.count.retries, func() (error, bool) {
		err := c.attempt(ctx, &f, key)
		status, answered := err.(*StatusError)
		return err, !answered || status.again()
	})
	if err != nil {
		c.count.failedBatches.Add(1)
		c.count.lostPackages.Add(int64(b.Records))
		c.count.lostFunctions.Add(b.Messages)
		slog.Warn("batch given up", "batch", b.Number, "packages", b.Records, "functions", b.Messages, "err", err)
		return fmt.Errorf("%w: batch %d of %d packages: %w", forward.ErrUpload, b.Number, b.Records, err)
	}
	c.count.batches.Add(1)
	c.count.bytes.Add(int64(len(b.Body)))
	c.count.packages.Add(int64(b.Records))
	c.count.functions.Add(b.Messages)
	return nil
}

// attempt posts the form once. When it returns nobody reads the batch any more,
// so that its memory can hold the next.
func (c *Client) attempt(ctx context.Context, f *form, key string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.target, nil)
	if err != nil {
		return err
	}
	defer forward.WatchBody(req, f.open)()
	req.ContentLength = f.length()
	req.Header.Set("Content-Type", f.contentType)
	req.Header.Set("Idempotency-Key", key)
	if c.config.APIKey != "" {
		req.Header.Set("DD-API-KEY", c.config.APIKey)
	}
	resp, err := c.http.Do(req)
	if err == nil {
		// Read to the end, so that the connection can be used again.
		io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
		resp.Body.Close()
		if resp.StatusCode >= 300 {
			err = &StatusError{resp.StatusCode}
		}
	}
	return err
}
