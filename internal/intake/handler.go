package intake

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// HeaderKey names an upload, so that one sent twice counts once.
const HeaderKey = "Idempotency-Key"

// refusal is an upload that is not taken, and what its sender is told.
type refusal struct {
	status int
	reason string
}

func (i *Intake) serve(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == PathValidate {
		reply(w, http.StatusOK, `{"valid":true}`)
		return
	}
	if no := i.strike(r); no != nil {
		i.refuse(w, no)
		return
	}
	if _, known := formats[r.URL.Path]; !known {
		i.unknown.Add(1)
		i.notes.add(fmt.Sprintf("%s %s was acknowledged and thrown away: what comes to this path is not counted", r.Method, r.URL.Path))
		// Read, so that the connection lives on; what is in it does not matter.
		_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, i.config.MaxBodyBytes))
		reply(w, http.StatusAccepted, `{"errors":[]}`)
		return
	}
	if no := i.take(r); no != nil {
		i.notes.add(fmt.Sprintf("an upload was refused with %d: %s", no.status, no.reason))
		if no.status == http.StatusMethodNotAllowed {
			w.Header().Set("Allow", http.MethodPost)
		}
		i.refuse(w, no)
		return
	}
	reply(w, http.StatusAccepted, `{"errors":[]}`)
}

// strike applies the faults to a request that has just come in.
func (i *Intake) strike(r *http.Request) *refusal {
	faults := &i.config.Faults
	status := faults.status(i.arrivals.Add(1), time.Since(i.started))
	if faults.Latency > 0 {
		timer := time.NewTimer(faults.Latency)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			return &refusal{http.StatusServiceUnavailable, "the intake is stopping"}
		}
	}
	if status != 0 {
		return &refusal{status, "refused on purpose, by the faults that the intake was given"}
	}
	return nil
}

// take moves the body of an upload into the spool and counts it.
func (i *Intake) take(r *http.Request) *refusal {
	format, encoding, no := checkHead(r)
	if no != nil {
		return no
	}
	body, no := i.readBody(r)
	if no != nil {
		return no
	}
	at, outcome, err := i.spool.put(format, encoding, body, r.Header.Get(HeaderKey))
	switch {
	case err != nil:
		return &refusal{http.StatusServiceUnavailable, err.Error()}
	case outcome == duplicate:
		i.duplicates.Add(1)
		return nil
	}
	i.bytes.Add(int64(len(body)))
	i.requests.Add(1)
	// Handlers may come here in another order than out of the spool.
	for since := at.Sub(i.created).Nanoseconds(); ; {
		last := i.last.Load()
		if since <= last || i.last.CompareAndSwap(last, since) {
			return nil
		}
	}
}

// readBody reads the body as it is, compressed. It is the whole work that an
// upload makes while a target is measured.
func (i *Intake) readBody(r *http.Request) ([]byte, *refusal) {
	limit := i.config.MaxBodyBytes
	tooLarge := &refusal{http.StatusRequestEntityTooLarge, fmt.Sprintf("body is larger than %d bytes", limit)}
	var body []byte
	var err error
	switch {
	case r.ContentLength > limit:
		return nil, tooLarge
	case r.ContentLength >= 0:
		body = make([]byte, r.ContentLength)
		_, err = io.ReadFull(r.Body, body)
	default:
		var buffer bytes.Buffer
		_, err = buffer.ReadFrom(http.MaxBytesReader(nil, r.Body, limit))
		body = bytes.Clone(buffer.Bytes()) // exactly as large as the spool counts it
	}
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		return nil, tooLarge
	case err != nil:
		return nil, &refusal{http.StatusBadRequest, fmt.Sprintf("cannot read the body: %v", err)}
	case len(body) == 0:
		return nil, &refusal{http.StatusBadRequest, "body is empty"}
	}
	return body, nil
}

func (i *Intake) refuse(w http.ResponseWriter, no *refusal) {
	i.refused.Add(1)
	text, _ := json.Marshal(map[string][]string{"errors": {no.reason}}) // strings always marshal
	reply(w, no.status, string(text))
}

func reply(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body) // a sender that is gone learns nothing, whatever we do
}
