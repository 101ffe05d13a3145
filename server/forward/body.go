package forward

import (
	"io"
	"net/http"
	"sync"
)

// WatchBody gives req the body that open reads, and as often again as the
// transport asks for it. The function that it returns must be called after the
// request was done, and returns when nobody reads any more: a transport may go
// on reading a body for a moment after it has returned an answer or an error,
// and until then the memory behind it must not change.
func WatchBody(req *http.Request, open func() io.Reader) (wait func()) {
	var reading sync.WaitGroup
	next := func() (io.ReadCloser, error) {
		reading.Add(1)
		return &watchedBody{Reader: open(), done: sync.OnceFunc(reading.Done)}, nil
	}
	req.Body, _ = next()
	req.GetBody = next
	return reading.Wait
}

// watchedBody is one reading of a body, which transports end by closing it.
type watchedBody struct {
	io.Reader
	done func()
}

func (b *watchedBody) Close() error {
	b.done()
	return nil
}
