package intake

import (
	"bytes"
	"context"
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
	if answer, known := courtesies[r.URL.Path]; known {
		w.Header().Set("Content-Type", mediaJSON)
		w.WriteHeader(answer.status)
		_, _ = io.WriteString(w, answer.body)
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
	f, no := i.takeRequest(r)
	if no != nil {
		i.notes.add(fmt.Sprintf("an upload was refused with %d: %s", no.status, no.reason))
		if no.status == http.StatusMethodNotAllowed {
			w.Header().Set("Allow", http.MethodPost)
		}
		i.refuse(w, no)
		return
	}
	f.acknowledge(w)
}

// courtesies are requests that upload nothing, and what some servers need for an
// answer before they upload anything.
var courtesies = map[string]struct {
	status int
	body   string
}{
	PathValidate: {http.StatusOK, `{"valid":true}`},
	"/ping":      {http.StatusNoContent, ""},                                 // of InfluxDB
	"/query":     {http.StatusOK, `{"results":[{"statement_id":0}]}` + "\n"}, // of InfluxDB 1: CREATE DATABASE
}

// connKey is the key of the connection in the context of a request.
type connKey struct{}

// strike applies the faults to a request that has just come in. It does not
// return when the connection is reset.
func (i *Intake) strike(r *http.Request) *refusal {
	d, err := i.decide(r.Context(), true)
	switch {
	case err != nil:
		return &refusal{http.StatusServiceUnavailable, err.Error()}
	case d.Reset:
		i.refused.Add(1)
		if c, ok := r.Context().Value(connKey{}).(*conn); ok {
			c.reset()
		}
		panic(http.ErrAbortHandler) // how a handler ends without an answer
	case d.Status != 0:
		return &refusal{d.Status, refusedOnPurpose}
	}
	return nil
}

const refusedOnPurpose = "refused on purpose, by the faults that the intake was given"

// decide says what the faults want of an upload that has just come in, after
// they have held it. An error is nothing to one that is not answered. It is an
// error that ctx ended in the meantime.
func (i *Intake) decide(ctx context.Context, answered bool) (Decision, error) {
	number, since := i.clock.number()
	if number == 0 {
		return Decision{}, nil
	}
	d := i.config.Faults.Decide(number, since)
	if !answered {
		d.Status = 0
	}
	if d.Delay > 0 {
		i.clock.delayed.Add(1)
		timer := time.NewTimer(d.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return d, errStopping
		}
	}
	i.clock.refused(d)
	return d, nil
}

// takeRequest moves the body of a request into the spool and counts it.
func (i *Intake) takeRequest(r *http.Request) (format, *refusal) {
	u, no := checkHead(r)
	if no != nil {
		return 0, no
	}
	if u.body, no = i.readBody(r); no != nil {
		return 0, no
	}
	if err := i.take(u, r.Header.Get(HeaderKey)); err != nil {
		return 0, &refusal{http.StatusServiceUnavailable, err.Error()}
	}
	return u.format, nil
}

// take moves an upload, with its body, into the spool and counts it.
func (i *Intake) take(u upload, key string) error {
	size := int64(len(u.body))
	at, outcome, err := i.spool.put(u, key)
	switch {
	case err != nil:
		return err
	case outcome == duplicate:
		i.duplicates.Add(1)
		return nil
	}
	i.bytes.Add(size)
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
	w.Header().Set("Content-Type", mediaJSON)
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body) // a sender that is gone learns nothing, whatever we do
}
