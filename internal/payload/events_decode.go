package payload

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Events and service checks are few, so that their decoding is left to
// encoding/json; it goes one element at a time all the same.

// jsonEvent has the names of both formats: first those of /intake/, then those
// of /api/v1/events where they differ.
type jsonEvent struct {
	MsgTitle       string   `json:"msg_title"`
	MsgText        string   `json:"msg_text"`
	Timestamp      int64    `json:"timestamp"`
	Title          string   `json:"title"`
	Text           string   `json:"text"`
	DateHappened   int64    `json:"date_happened"`
	Host           string   `json:"host"`
	Priority       string   `json:"priority"`
	AlertType      string   `json:"alert_type"`
	AggregationKey string   `json:"aggregation_key"`
	SourceType     string   `json:"source_type_name"`
	Tags           []string `json:"tags"`
}

func (j *jsonEvent) event() (*Event, error) {
	e := &Event{
		Title: j.MsgTitle, Text: j.MsgText, Timestamp: j.Timestamp, Host: j.Host, Priority: j.Priority, AlertType: j.AlertType,
		AggregationKey: j.AggregationKey, SourceType: j.SourceType, Tags: j.Tags,
	}
	if e.Title == "" {
		e.Title = j.Title
	}
	if e.Text == "" {
		e.Text = j.Text
	}
	if e.Timestamp == 0 {
		e.Timestamp = j.DateHappened
	}
	if e.Title == "" {
		return nil, errors.New("the event has no title")
	}
	return e, nil
}

type jsonCheck struct {
	Check     string   `json:"check"`
	HostName  string   `json:"host_name"`
	Status    *int     `json:"status"`
	Timestamp int64    `json:"timestamp"`
	Tags      []string `json:"tags"`
	Message   string   `json:"message"`
}

func (j *jsonCheck) check() (*ServiceCheck, error) {
	switch {
	case j.Check == "":
		return nil, errors.New("the service check has no name")
	case j.Status == nil:
		return nil, errors.New("the service check has no status")
	case *j.Status < 0 || *j.Status > 3:
		return nil, fmt.Errorf("status %d is unknown, want 0 (ok), 1 (warning), 2 (critical) or 3 (unknown)", *j.Status)
	}
	return &ServiceCheck{Name: j.Check, Host: j.HostName, Status: *j.Status, Timestamp: j.Timestamp, Tags: j.Tags, Message: j.Message}, nil
}

// DecodeEvents reads one JSON body of /intake/, {"events":{"api":[…]}}, from r
// to its end and calls visit for each event in turn, whatever the name of its
// group. It returns how many it visited. The Event is visit's to keep.
//
// Unknown fields are skipped. A body without the field events has none: the
// agent sends what it knows of its host to the same path. Refused are an event
// without a title, anything that is no JSON, and anything after the body. An
// error of visit ends the decoding and is returned as it is.
func DecodeEvents(r io.Reader, visit func(*Event) error) (n int, err error) {
	d := elementDecoder{what: "event", json: json.NewDecoder(r)}
	return d.finish(d.object(func(name string) error {
		if name != "events" {
			return d.skip()
		}
		return d.object(func(string) error { return d.array(func() error { return d.event(visit) }) })
	}))
}

// DecodeEvent reads one JSON body of /api/v1/events, which is a single event,
// and is otherwise as DecodeEvents.
func DecodeEvent(r io.Reader, visit func(*Event) error) (n int, err error) {
	d := elementDecoder{what: "event", json: json.NewDecoder(r)}
	return d.finish(d.event(visit))
}

// DecodeServiceChecks reads one JSON body of /api/v1/check_run, an array, from
// r to its end and calls visit for each service check in turn. It returns how
// many it visited. The ServiceCheck is visit's to keep. Refused are a service
// check without a name or with an unknown status or none; otherwise it is as
// DecodeEvents.
func DecodeServiceChecks(r io.Reader, visit func(*ServiceCheck) error) (n int, err error) {
	d := elementDecoder{what: "service check", json: json.NewDecoder(r)}
	return d.finish(d.array(func() error {
		var j jsonCheck
		if err := d.json.Decode(&j); err != nil {
			return err
		}
		c, err := j.check()
		return d.visit(err, func() error { return visit(c) })
	}))
}

// elementDecoder walks a body down to its elements.
type elementDecoder struct {
	what     string
	json     *json.Decoder
	visited  int
	visitErr error
}

func (d *elementDecoder) event(visit func(*Event) error) error {
	var j jsonEvent
	if err := d.json.Decode(&j); err != nil {
		return err
	}
	e, err := j.event()
	return d.visit(err, func() error { return visit(e) })
}

func (d *elementDecoder) visit(err error, visit func() error) error {
	if err != nil {
		return err
	}
	if d.visitErr = visit(); d.visitErr == nil {
		d.visited++
	}
	return d.visitErr
}

// finish makes sure that nothing follows, which also makes a decompressor check
// its checksum.
func (d *elementDecoder) finish(err error) (int, error) {
	if d.visitErr != nil {
		return d.visited, d.visitErr
	}
	switch {
	case err == io.EOF:
		err = io.ErrUnexpectedEOF
	case err == nil:
		var token json.Token
		if token, err = d.json.Token(); err == io.EOF {
			return d.visited, nil
		} else if err == nil {
			err = fmt.Errorf("found %v, want the end of the body", token)
		}
	}
	return d.visited, fmt.Errorf("cannot decode %s %d, at byte %d of the body: %w", d.what, d.visited+1, d.json.InputOffset(), err)
}

func (d *elementDecoder) skip() error {
	var rest json.RawMessage
	return d.json.Decode(&rest)
}

// object reads an object, or null as an empty one. member reads each value.
func (d *elementDecoder) object(member func(name string) error) error {
	return d.list('{', func() error {
		name, err := d.json.Token()
		if err != nil {
			return err
		}
		return member(name.(string)) // the decoder lets no other token stand here
	})
}

// array reads an array, or null as an empty one, likewise.
func (d *elementDecoder) array(element func() error) error { return d.list('[', element) }

func (d *elementDecoder) list(open json.Delim, item func() error) error {
	token, err := d.json.Token()
	if err != nil || token == nil {
		return err
	}
	if token != open {
		return fmt.Errorf("found %v, want %q", token, rune(open))
	}
	for d.json.More() {
		if err := item(); err != nil {
			return err
		}
	}
	_, err = d.json.Token()
	return err
}
