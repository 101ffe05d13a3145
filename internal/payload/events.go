package payload

import "strconv"

// Event is something that happened: what the agent sends for messages that
// begin with _e.
type Event struct {
	Title, Text    string
	Timestamp      int64 // Unix seconds; 0 when not given
	Host           string
	Priority       string // normal or low; empty when not given
	AlertType      string // error, warning, info or success; empty when not given
	AggregationKey string // events with the same one belong together
	SourceType     string
	Tags           []string // in the order received
}

// ServiceCheck is one report on the state of a service: what the agent sends
// for messages that begin with _sc.
type ServiceCheck struct {
	Name, Host string
	Status     int   // 0 ok, 1 warning, 2 critical, 3 unknown
	Timestamp  int64 // Unix seconds; 0 when not given
	Tags       []string
	Message    string
}

// EventsOpen and EventsClose stand around the events of a body for /intake/,
// which commas separate; ChecksOpen and ChecksClose around the service checks
// of a body for /api/v1/check_run.
const (
	EventsOpen  = `{"events":{"api":[`
	EventsClose = `]},"apiKey":"","internalHostname":""}`
	ChecksOpen  = `[`
	ChecksClose = `]`
)

// AppendEvent appends one event to dst, as an object of the JSON format of
// /intake/. Parts that are empty are left out, but for title and text. It
// allocates only when dst has no room.
func AppendEvent(dst []byte, e *Event) []byte {
	dst = append(dst, `{"msg_title":`...)
	dst = appendString(dst, e.Title)
	dst = append(dst, `,"msg_text":`...)
	dst = appendString(dst, e.Text)
	dst = appendIntMember(dst, `,"timestamp":`, e.Timestamp)
	dst = appendMember(dst, `,"host":`, e.Host)
	dst = appendMember(dst, `,"priority":`, e.Priority)
	dst = appendMember(dst, `,"alert_type":`, e.AlertType)
	dst = appendMember(dst, `,"aggregation_key":`, e.AggregationKey)
	dst = appendMember(dst, `,"source_type_name":`, e.SourceType)
	return append(appendTags(dst, e.Tags), '}')
}

// AppendServiceCheck appends one service check to dst, as an object of the JSON
// format of /api/v1/check_run. Parts that are empty are left out, but for name
// and status. It allocates only when dst has no room.
func AppendServiceCheck(dst []byte, c *ServiceCheck) []byte {
	dst = append(dst, `{"check":`...)
	dst = appendString(dst, c.Name)
	dst = append(dst, `,"status":`...)
	dst = strconv.AppendInt(dst, int64(c.Status), 10)
	dst = appendMember(dst, `,"host_name":`, c.Host)
	dst = appendIntMember(dst, `,"timestamp":`, c.Timestamp)
	dst = appendMember(dst, `,"message":`, c.Message)
	return append(appendTags(dst, c.Tags), '}')
}

func appendMember(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	return appendString(append(dst, name...), value)
}

func appendIntMember(dst []byte, name string, value int64) []byte {
	if value == 0 {
		return dst
	}
	return strconv.AppendInt(append(dst, name...), value, 10)
}

func appendTags(dst []byte, tags []string) []byte {
	for i, tag := range tags {
		if i == 0 {
			dst = append(dst, `,"tags":[`...)
		} else {
			dst = append(dst, ',')
		}
		dst = appendString(dst, tag)
	}
	if len(tags) > 0 {
		dst = append(dst, ']')
	}
	return dst
}
