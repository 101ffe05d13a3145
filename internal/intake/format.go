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
	"floodgate/internal/payload/foreign"
)

// The paths that the intake knows.
const (
	PathSeries   = "/api/v2/series"     // uploads of series, JSON or protobuf
	PathSeriesV1 = "/api/v1/series"     // of series in version 1, JSON
	PathSketches = "/api/beta/sketches" // of sketches, protobuf
	PathEvents   = "/intake/"           // of events in groups, JSON
	PathEvent    = "/api/v1/events"     // of a single event, JSON
	PathChecks   = "/api/v1/check_run"  // of service checks, JSON
	PathValidate = "/api/v1/validate"   // whether the key is good: it always is

	PathInflux   = "/write"        // of InfluxDB lines, as version 1 of InfluxDB has it
	PathInfluxV2 = "/api/v2/write" // of InfluxDB lines, as version 2 has it
	PathOTLP     = "/v1/metrics"   // of OTLP metrics, protobuf
)

// The media types of uploads.
const (
	mediaJSON     = "application/json"
	mediaProtobuf = "application/x-protobuf"
	mediaAny      = "" // whatever it says, or nothing
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
	seriesV1JSON
	graphiteLines
	influxLines
	scrapeText
	otlpProtobuf
)

// formats has the paths of uploads, and what may be sent there.
var formats = map[string]map[string]format{
	PathSeries:   {mediaJSON: seriesJSON, mediaProtobuf: seriesProtobuf},
	PathSketches: {mediaProtobuf: sketchesProtobuf},
	PathEvents:   {mediaJSON: eventsJSON},
	PathEvent:    {mediaJSON: eventJSON},
	PathChecks:   {mediaJSON: checksJSON},
	PathSeriesV1: {mediaJSON: seriesV1JSON},
	PathInflux:   {mediaAny: influxLines},
	PathInfluxV2: {mediaAny: influxLines},
	PathOTLP:     {mediaProtobuf: otlpProtobuf},
}

// checkHead returns an upload to a path that takes some, without its body, or
// why it is refused.
func checkHead(r *http.Request) (u upload, no *refusal) {
	if r.Method != http.MethodPost {
		return u, &refusal{http.StatusMethodNotAllowed, fmt.Sprintf("method is %s, want POST", r.Method)}
	}
	content := r.Header.Get("Content-Type")
	medias := formats[r.URL.Path]
	f, known := medias[mediaAny]
	if !known {
		media, _, err := mime.ParseMediaType(content)
		if f, known = medias[media]; err != nil || !known {
			return u, &refusal{http.StatusUnsupportedMediaType, fmt.Sprintf("Content-Type is %q, want %s", content, strings.Join(slices.Sorted(maps.Keys(medias)), " or "))}
		}
	}
	encoding := strings.ToLower(strings.Join(r.Header.Values("Content-Encoding"), ","))
	if encoding == "" {
		encoding = payload.Identity
	}
	if !slices.Contains(payload.Encodings, encoding) {
		return u, &refusal{http.StatusUnsupportedMediaType, fmt.Sprintf("Content-Encoding is %q, want one of %s", encoding, strings.Join(payload.Encodings, ", "))}
	}
	precision := foreign.Nanoseconds
	if f == influxLines {
		text := r.URL.Query().Get("precision")
		if precision, known = foreign.ParsePrecision(text); !known {
			return u, &refusal{http.StatusBadRequest, fmt.Sprintf("precision is %q, want one of ns, us, ms, s, m, h", text)}
		}
	}
	return upload{format: f, encoding: encoding, precision: precision}, nil
}

// acknowledge answers an upload that was taken as its sender expects it.
func (f format) acknowledge(w http.ResponseWriter) {
	switch f {
	case influxLines:
		w.WriteHeader(http.StatusNoContent)
	case otlpProtobuf:
		// An ExportMetricsServiceResponse in which nothing is rejected has no bytes.
		w.Header().Set("Content-Type", mediaProtobuf)
		w.WriteHeader(http.StatusOK)
	default:
		reply(w, http.StatusAccepted, `{"errors":[]}`)
	}
}

// isForeign reports whether package foreign decodes it.
func (f format) isForeign() bool { return f >= seriesV1JSON }

// decode visits what a body of format f holds, which is not foreign. An error of a visitor comes back
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
