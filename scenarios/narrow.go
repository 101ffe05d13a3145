package scenarios

import (
	"fmt"
	"slices"
	"strings"
)

// Narrow returns the scenario with only what the target can do, what was left
// out of it, and what cannot be left out without making another experiment of
// it, all in words. The scenario itself is not changed. It is the same when both
// lists are empty. Of a replay only the packing is known, and narrowed.
func (t *Target) Narrow(s Scenario) (narrowed Scenario, left, cannot []string) {
	if !slices.Contains(t.Transports, s.Load.Transport) {
		cannot = append(cannot, "transport "+string(s.Load.Transport))
	}
	switch can := &t.Capabilities; {
	case s.Load.Replay != nil:
		replay := *s.Load.Replay
		s.Load.Replay = &replay
		left = can.narrowPacking(&replay.Packing)
	case s.Load.Schedule.Count > 0:
		var none []string
		left, none = can.narrowKinds(&s.Load.Corpus)
		cannot = append(cannot, none...)
		left = append(left, can.narrowParts(&s.Load.Corpus)...)
		if s.Load.Sender.Client != NoClient {
			left = append(left, can.narrowClient(&s.Load)...)
		} else {
			left = append(left, can.narrowPacking(&s.Load.Corpus.Packing)...)
		}
	}
	return s, append(left, t.narrowIntake(&s.Intake)...), cannot
}

// narrowKinds leaves out kinds of messages.
func (c *Capabilities) narrowKinds(corpus *Corpus) (left, cannot []string) {
	var kinds []KindWeight
	var unknown []string
	for _, k := range corpus.Kinds {
		if slices.Contains(c.Kinds, k.Kind) {
			kinds = append(kinds, k)
		} else {
			unknown = append(unknown, k.Kind)
		}
	}
	switch {
	case len(unknown) == 0:
	case len(kinds) == 0:
		cannot = append(cannot, "kinds "+strings.Join(unknown, ", ")+", and there are no others")
	default:
		corpus.Kinds = kinds
		left = append(left, "kinds "+strings.Join(unknown, ", "))
	}
	if corpus.EventShare > 0 && !c.Events {
		corpus.EventShare = 0
		left = append(left, "events")
	}
	if corpus.CheckShare > 0 && !c.ServiceChecks {
		corpus.CheckShare = 0
		left = append(left, "service checks")
	}
	return left, cannot
}

// narrowParts leaves out parts of messages.
func (c *Capabilities) narrowParts(corpus *Corpus) (left []string) {
	if (corpus.Tags > 0 || corpus.TagsMost > 0) && !c.Tags {
		corpus.Tags, corpus.TagsMost, corpus.TagBytes, corpus.TagBytesMost = 0, 0, 0, 0
		corpus.UniqueTags, corpus.TagPatterns = 0, nil
		left = append(left, "tags")
	}
	if corpus.PackedValues > 1 && !c.PackedValues {
		corpus.PackedValues = 1
		left = append(left, "packed values")
	}
	if corpus.SampledShare > 0 && !c.Sampling {
		corpus.SampledShare, corpus.SampleRate = 0, 1
		left = append(left, "sampling")
	}
	if corpus.TimestampedShare > 0 && !c.Timestamps {
		corpus.TimestampedShare, corpus.TimestampFrom = 0, 0
		left = append(left, "timestamps")
	}
	if corpus.ContainerShare > 0 && !c.Origin {
		corpus.ContainerShare, corpus.Containers = 0, 0
		left = append(left, "names of containers")
	}
	return left
}

// narrowPacking makes datagrams smaller.
func (c *Capabilities) narrowPacking(p *Packing) (left []string) {
	switch {
	case p.Bytes == 0:
	case !c.Packing:
		p.Bytes = 0
		left = append(left, "several messages in a datagram")
	case c.LargestDatagram > 0 && int64(p.Bytes) > c.LargestDatagram:
		left = append(left, fmt.Sprintf("datagrams over %d bytes", c.LargestDatagram))
		p.Bytes = int(c.LargestDatagram)
	}
	return left
}
