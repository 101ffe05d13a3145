package intake

import (
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"

	"floodgate/internal/payload"
)

// The paths that the intake knows.
const (
	PathSeries   = "/api/v2/series"     // uploads of series, JSON or protobuf
	PathSketches = "/api/beta/sketches" // of sketches, protobuf
	PathEvents   = "/intake/"           // of events in groups, JSON
	PathEvent    = "/api/v1/events"     // of a single event, JSON
	PathChecks   = "/api/v1/check_run"  // of service checks, JSON
	PathValidate = "/api/v1/validate"   // whether the key is good: it always is
)

// The media types of uploads.
const (
	mediaJSON     = "application/json"
	mediaProtobuf = "application/x-protobuf"
)

// format is what a body is written in. It is known from the path and the
// Content-Type of its upload.
type format uint8

const (
	seriesJSON format = iota
	seriesProtobuf
	sketchesProtobuf
	eventsJSON
	eventJSON
	checksJSON
)

// formats has the paths of uploads, and what may be sent there.
var formats = map[string]map[string]format{
	PathSeries:   {mediaJSON: seriesJSON, mediaProtobuf: seriesProtobuf},
	PathSketches: {mediaProtobuf: sketchesProtobuf},
	PathEvents:   {mediaJSON: eventsJSON},
	PathEvent:    {mediaJSON: eventJSON},
	PathChecks:   {mediaJSON: checksJSON},
}

// checkHead returns the format and the encoding of an upload to a path that
// takes some, or why it is refused.
func checkHead(r *http.Request) (f format, encoding string, no *refusal) {
	if r.Method != http.MethodPost {
		return 0, "", &refusal{http.StatusMethodNotAllowed, fmt.Sprintf("method is %s, want POST", r.Method)}
	}
	content := r.Header.Get("Content-Type")
	medias := formats[r.URL.Path]
	media, _, err := mime.ParseMediaType(content)
	f, known := medias[media]
	if err != nil || !known {
		return 0, "", &refusal{http.StatusUnsupportedMediaType, fmt.Sprintf("Content-Type is %q, want %s", content, strings.Join(slices.Sorted(maps.Keys(medias)), " or "))}
	}
	encoding = strings.ToLower(strings.Join(r.Header.Values("Content-Encoding"), ","))
	if encoding == "" {
		encoding = payload.Identity
	}
	if !slices.Contains(payload.Encodings, encoding) {
		return 0, "", &refusal{http.StatusUnsupportedMediaType, fmt.Sprintf("Content-Encoding is %q, want one of %s", encoding, strings.Join(payload.Encodings, ", "))}
	}
	return f, encoding, nil
}

// decode visits what a body of format f holds. An error of a visitor comes back
// in visitErr alone; skipped is what nobody wanted, in words.
func (f format) decode(body io.Reader, u *upload, v *Visitor) (skipped string, err, visitErr error) {
	var n int
	switch f {
	case sketchesProtobuf:
		n, err = payload.DecodeSketches(body, visitor(u, v.Sketch, &visitErr))
		skipped = skippedBy(v.Sketch, n, "sketches")
	case eventsJSON:
		n, err = payload.DecodeEvents(body, visitor(u, v.Event, &visitErr))
		skipped = skippedBy(v.Event, n, "events")
	case eventJSON:
		n, err = payload.DecodeEvent(body, visitor(u, v.Event, &visitErr))
		skipped = skippedBy(v.Event, n, "events")
	case checksJSON:
		n, err = payload.DecodeServiceChecks(body, visitor(u, v.Check, &visitErr))
		skipped = skippedBy(v.Check, n, "service checks")
	case seriesProtobuf:
		_, err = payload.DecodeSeriesProto(body, visitor(u, v.Series, &visitErr))
	default:
		_, err = payload.DecodeSeries(body, visitor(u, v.Series, &visitErr))
	}
	return skipped, err, visitErr
}
