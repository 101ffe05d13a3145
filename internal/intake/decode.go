package intake

import (
	"errors"
	"fmt"
	"io"
	"time"

	"floodgate/internal/payload"
	"floodgate/internal/payload/foreign"
)

// shownFaults is how many unreadable uploads an error of Decode names.
const shownFaults = 3

// Visitor is called with what uploads hold, and with the arrival time of the
// upload. What it is given is its own only until it returns. Kinds whose
// function is nil are decoded all the same, to see whether they can be, and
// skipped.
type Visitor struct {
	Series func(at time.Time, s *payload.Series) error
	Sketch func(at time.Time, s *payload.Sketch) error
	Event  func(at time.Time, e *payload.Event) error
	Check  func(at time.Time, c *payload.ServiceCheck) error
}

// Decode is DecodeAll for the series alone. Where visit is not nil, uploads of
// other kinds become a warning, because what they hold is not counted.
func (i *Intake) Decode(visit func(at time.Time, s *payload.Series) error) error {
	return i.DecodeAll(Visitor{Series: visit})
}

// DecodeAll decodes the uploads that wait when it is called, in the order in
// which they arrived, and calls the functions of v for what they hold. It can be
// called again and again, also while the intake serves: every upload is visited
// once. The functions must not call Decode or DecodeAll.
//
// An error of a function ends the call and is returned as it is; what is left of
// that one upload is gone, the uploads after it still wait. An upload that cannot
// be decoded does not end the call: the others are still visited, and then the
// error names it. What it held before the fault has been visited, so the counts
// are wrong either way; this call and all later ones return the error.
func (i *Intake) DecodeAll(v Visitor) error {
	i.decoding.Lock()
	defer i.decoding.Unlock()
	// Not until the spool is empty: a busy target could keep it from ever being.
	for range i.spool.length() {
		u, ok := i.spool.next()
		if !ok {
			break
		}
		broken, visitErr := i.decodeOne(&u, &v)
		i.spool.done(&u)
		if visitErr != nil {
			return visitErr
		}
		if broken != nil {
			i.unreadable.Add(1)
			if len(i.invalid) < shownFaults {
				i.invalid = append(i.invalid, broken)
			}
		}
	}
	if count := i.unreadable.Load(); count > 0 {
		return fmt.Errorf("cannot decode %d of the uploads that were taken, so the counts are incomplete: %w", count, errors.Join(i.invalid...))
	}
	return nil
}

// decodeOne tells what is broken about an upload apart from what a visitor
// returned.
func (i *Intake) decodeOne(u *upload, v *Visitor) (broken, visitErr error) {
	var skipped string
	body, err := payload.NewReader(u.encoding, u.open(), i.config.MaxDecodedBytes)
	if err == nil {
		defer body.Close()
		if u.format.isForeign() {
			skipped, err, visitErr = i.decodeForeign(body, u, v)
		} else {
			skipped, err, visitErr = u.format.decode(body, u, v)
		}
	}
	if visitErr != nil {
		return nil, visitErr
	}
	if skipped != "" && v.Series != nil {
		i.notes.add("an upload of " + skipped + " was taken, but what it held was not counted")
	}
	if err != nil {
		return fmt.Errorf("upload %d (%s, %d bytes, %v after the intake was opened): %w", u.number, u.encoding, u.size, u.at.Sub(i.created).Round(time.Millisecond), err), nil
	}
	return nil, nil
}

// decodeForeign is format.decode for foreign formats. It is called with the lock
// of decoding held.
func (i *Intake) decodeForeign(body io.Reader, u *upload, v *Visitor) (skipped string, err, visitErr error) {
	values := 0
	each := visitor(u, v.Sketch, &visitErr)
	visit := foreign.Visit{
		Series: visitor(u, v.Series, &visitErr),
		Sketch: func(s *payload.Sketch) error { values++; return each(s) },
	}
	now := u.at.Unix()
	switch u.format {
	case seriesV1JSON:
		err = i.foreign.SeriesV1(body, visit)
	case graphiteLines:
		err = i.foreign.Graphite(body, now, visit)
	case influxLines:
		err = i.foreign.Influx(body, u.precision, now, visit)
	case scrapeText:
		err = i.foreign.Prometheus(body, now, visit)
	case otlpProtobuf:
		err = i.foreign.OTLP(body, visit)
	}
	i.derived.Store(i.foreign.Derived)
	var lines *foreign.LineError
	if u.output && errors.As(err, &lines) {
		i.notes.addSome("a line of an output was no metric and was skipped", int64(lines.Bad))
		err = nil
	}
	return skippedBy(v.Sketch, values, "values of distributions"), err, visitErr
}

// visitor adds the arrival time to what a decoder visits, and keeps apart what
// visit returned.
func visitor[T any](u *upload, visit func(time.Time, *T) error, visitErr *error) func(*T) error {
	return func(item *T) error {
		if visit != nil {
			*visitErr = visit(u.at, item)
		}
		return *visitErr
	}
}

func skippedBy[T any](visit func(time.Time, *T) error, n int, what string) string {
	if visit != nil || n == 0 {
		return ""
	}
	return what
}
