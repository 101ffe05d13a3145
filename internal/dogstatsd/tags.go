package dogstatsd

import "bytes"

// TagRole says what a server does with a tag.
type TagRole uint8

// The roles of tags.
const (
	PlainTag    TagRole = iota // part of the contextKey as it stands
	HostTag                    // host:NAME is the host that the series belongs to; without a NAME it belongs to none
	InternalTag                // from a client to its server, which does not pass it on
)

const (
	hostTag        = "host:"
	internalPrefix = "dd.internal."
)

var internalTags = [][]byte{[]byte("entity_id:"), []byte("card:"), []byte("jmx_check_name:")}

// isHost is not bytes.HasPrefix, because a constant is compared without a call.
func isHost(tags []byte) bool {
	return len(tags) >= len(hostTag) && string(tags[:len(hostTag)]) == hostTag
}

// RoleOf is the role of one tag, or of the first of several.
func RoleOf(tag []byte) TagRole {
	if isHost(tag) {
		return HostTag
	}
	if len(tag) > len(internalPrefix) && string(tag[:len(internalPrefix)]) == internalPrefix {
		for _, prefix := range internalTags {
			if bytes.HasPrefix(tag[len(internalPrefix):], prefix) {
				return InternalTag
			}
		}
	}
	return PlainTag
}

// CutHost takes the host off tags that lead with it. host is nil where they do
// not, and empty where they say that there is none.
func CutHost(tags []byte) (host, others []byte) {
	if !isHost(tags) {
		return nil, tags
	}
	host = tags[len(hostTag):]
	if i := bytes.IndexByte(host, ','); i >= 0 {
		return host[:i], host[i+1:]
	}
	return host, nil
}
