package intake

import (
	"errors"
	"fmt"
	"time"

	"floodgate/internal/payload"
)

// shownFaults is how many unreadable uploads an error of Decode names.
const shownFaults = 3

// Decode decodes the uploads that wait when it is called, in the order in which
// they arrived, and calls visit for each series with the arrival time of its
// upload. It can be called again and again, also while the intake serves: every
// upload is visited once. The Series is visit's only until it returns. visit
// must not call Decode. A nil visit still decodes everything, to see whether it
// can be.
//
// An error of visit ends the call and is returned as it is; what is left of that
// one upload is gone, the uploads after it still wait. An upload that cannot be
// decoded does not end the call: the others are still visited, and then the
// error names it. Its series before the fault have been visited, so the counts
// are wrong either way; this call and all later ones return the error.
func (i *Intake) Decode(visit func(at time.Time, s *payload.Series) error) error {
	i.decoding.Lock()
	defer i.decoding.Unlock()
	// Not until the spool is empty: a busy target could keep it from ever being.
	for range i.spool.length() {
		u, ok := i.spool.next()
		if !ok {
			break
		}
		broken, visitErr := i.decodeOne(&u, visit)
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

// decodeOne tells what is broken about an upload apart from what visit returned.
func (i *Intake) decodeOne(u *upload, visit func(at time.Time, s *payload.Series) error) (broken, visitErr error) {
	body, err := payload.NewReader(u.encoding, u.open(), i.config.MaxDecodedBytes)
	if err == nil {
		defer body.Close()
		_, err = payload.DecodeSeries(body, func(s *payload.Series) error {
			if visit != nil {
				visitErr = visit(u.at, s)
			}
			return visitErr
		})
	}
	if visitErr != nil {
		return nil, visitErr
	}
	if err != nil {
		return fmt.Errorf("upload %d (%s, %d bytes, %v after the intake was opened): %w", u.number, u.encoding, u.size, u.at.Sub(i.created).Round(time.Millisecond), err), nil
	}
	return nil, nil
}
