package servertest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"floodgate/internal/dogstatsd"
	"floodgate/internal/intake"
)

// verify fails the test with what is wrong with what arrived.
func (o *session) verify(wants ...want) {
	o.t.Helper()
	arrived := o.sink.Arrived()
	for _, w := range wants {
		for _, fault := range w.verify(arrived) {
			o.t.Error(fault)
		}
	}
	for _, fault := range unexpected(arrived, wants) {
		o.t.Error(fault)
	}
}

// arrives waits until the intake has what is wanted, while the target runs.
func (o *session) arrives(what string, wanted want) {
	o.t.Helper()
	o.eventually(what, func() error {
		if found := wanted.verify(o.sink.Arrived()); found != nil {
			return errors.New(found[0])
		}
		return nil
	})
}

// flush: what was sent arrives without being asked for, interval by interval,
// and what one interval brought does not come again with the next.
func (s *suite) flush(t *testing.T) {
	s.needKind(t, dogstatsd.Counter)
	o := s.open(t, s.claims.interval(), intake.Faults{})
	o.send("flush:5|c")
	o.arrives("the first flush", counter("flush|", 5))
	o.send("flush:2|c", "flush.late:1|c")
	o.arrives("the second flush", counter("flush|", 7))
	o.settle()
	o.final()
	o.verify(counter("flush|", 7), counter("flush.late|", 1))
}

// stop: what a target is sent before it is told to end is read, aggregated and
// uploaded, also what it had no time to read.
func (s *suite) stop(t *testing.T) {
	s.needKind(t, dogstatsd.Counter)
	if s.stream() {
		s.need(t, Statistics) // to know that the connection was accepted
	}
	o := s.open(t, atItsEnd, intake.Faults{})
	const datagrams, lines = 100, 10 // which the smallest usual receive buffer holds
	for i := range datagrams {
		if s.stream() && i == 1 {
			o.settle() // what a connection holds is meant, not who still waits to be accepted
		}
		o.send(strings.Repeat("stop:1|c\n", lines))
	}
	o.conn.Close()
	final := o.final()
	o.verify(counter("stop|", datagrams*lines))
	want := stages{datagrams: datagrams, received: datagrams * lines}
	if s.stream() {
		want.datagrams = -1
	}
	s.verifyStages(t, "final statistics", FinalStatistics, final, want)
}

// truncated: of a datagram that is longer than the buffer the last line is
// counted and not believed; the lines before it stand.
func (s *suite) truncated(t *testing.T) {
	size := s.claims.BufferSize
	if size == 0 {
		t.Skip("the target does not claim a buffer size")
	}
	s.need(t, Tags)
	s.needKind(t, dogstatsd.Counter)
	o := s.open(t, atItsEnd, intake.Faults{})
	const good, tag = "whole:1|c\n", "cut:1|c|#tag:"
	// The cut falls into the tag, so that what is left would parse, as another
	// contextKey.
	n := (size - len(tag) - 2) / len(good)
	head := strings.Repeat(good, n) + tag
	o.send(head + strings.Repeat("x", size+1-len(head)))
	// One byte less fits.
	o.send(head + strings.Repeat("y", size-len(head)))
	quiet := o.settle()
	final := o.final()
	fits := counter("cut|tag:"+strings.Repeat("y", size-len(head)), 1)
	o.verify(counter("whole|", float64(2*n)), fits)
	want := stages{datagrams: 2, received: int64(2*n + 2), truncated: 1}
	s.verifyStages(t, "/stats", Statistics, quiet, want)
	s.verifyStages(t, "final statistics", FinalStatistics, final, want)
}

// frames: a stream may be cut anywhere by the network. A frame that is empty or
// longer than the buffer ends its connection, and no other: whoever sent it has
// lost count.
func (s *suite) frames(t *testing.T) {
	s.needKind(t, dogstatsd.Counter)
	o := s.open(t, atItsEnd, intake.Faults{})
	write := func(conn net.Conn, b []byte) {
		if _, err := conn.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	ended := func(why string, header []byte) {
		conn := o.dial()
		write(conn, append(frame("before:1|c"), header...))
		o.messages++
		conn.SetReadDeadline(time.Now().Add(limit))
		// A target that closes with bytes unread resets the connection.
		if n, err := conn.Read(make([]byte, 1)); n != 0 || errors.Is(err, os.ErrDeadlineExceeded) || err == nil {
			t.Errorf("%s does not end its connection: %d bytes, %v", why, n, err)
		}
	}
	ended("a frame of length 0", make([]byte, 4))
	wants := 1.0
	if s.claims.BufferSize > 0 {
		ended("a frame longer than the buffer", binary.LittleEndian.AppendUint32(nil, uint32(s.claims.BufferSize)+1))
		wants++
		one := "long:1|c|" + strings.Repeat("x", s.claims.BufferSize-len("long:1|c|"))
		if s.claims.missing(Sections) == "" {
			o.send(one)
		} else {
			o.send("long:1|c")
		}
	} else {
		o.send("long:1|c")
	}
	piece := frame("pieces:1|c\npieces:2|c")
	for i := range piece {
		write(o.conn, piece[i:i+1])
	}
	write(o.conn, append(frame("pieces:4|c"), frame("pieces:8|c")...))
	o.messages += 4
	o.settle()
	o.final()
	o.verify(counter("before|", wants), counter("long|", 1), counter("pieces|", 15))
}

// statistics: the endpoint answers in JSON, its numbers are cumulative, and
// they keep apart what is pending from what was uploaded.
func (s *suite) statistics(t *testing.T) {
	s.need(t, Statistics)
	s.needKind(t, dogstatsd.Counter)
	o := s.open(t, atItsEnd, intake.Faults{})
	resp, err := o.client.Get("http://" + o.endpoints.Stats + "/stats")
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	if media := resp.Header.Get("Content-Type"); !strings.HasPrefix(media, "application/json") {
		t.Errorf("Content-Type is %q, want application/json", media)
	}
	var last stages
	for range 2 {
		o.send("a:1|c\n\nb:2|c", "c:1|c")
		last = stages{datagrams: o.datagrams, received: o.messages, pending: o.messages} // nothing was flushed
		if s.stream() {
			last.datagrams = -1
		}
		for _, fault := range verifyStages(o.settle(), last) {
			t.Error(fault)
		}
	}
	final := o.final()
	s.verifyStages(t, "final statistics", FinalStatistics, final, stages{datagrams: last.datagrams, received: last.received})
	t.Run("stalls", func(t *testing.T) {
		s.need(t, FinalStatistics)
		for _, fault := range append(verifyStalls(final), verifyLatency(final)...) {
			t.Error(fault)
		}
	})
}

// givenUp: what the intake refuses for good is told as lost, and nowhere else.
func (s *suite) givenUp(t *testing.T) {
	s.need(t, Statistics, FinalStatistics)
	s.needKind(t, dogstatsd.Counter)
	o := s.open(t, atItsEnd, intake.Faults{ErrorRate: 1, ErrorStatus: http.StatusForbidden})
	o.send("lost:1|c", "lost:2|c\nlost.too:1|c")
	o.settle()
	final := o.final()
	o.verify()
	want := stages{datagrams: 2, received: 3, failed: 3}
	if s.stream() {
		want.datagrams = -1
	}
	s.verifyStages(t, "final statistics", FinalStatistics, final, want)
}

// repeated: an upload whose acknowledgement was lost is sent again, and counts
// once.
func (s *suite) repeated(t *testing.T) {
	s.need(t, UniqueUploads)
	s.needKind(t, dogstatsd.Counter)
	sink := NewSink(t, intake.Faults{})
	upstream, err := url.Parse(sink.URL())
	if err != nil {
		t.Fatal(err)
	}
	var uploads atomic.Int64
	proxy := httputil.NewSingleHostReverseProxy(upstream)
	transport := &http.Transport{DisableKeepAlives: true}
	proxy.Transport = transport
	proxy.ModifyResponse = func(*http.Response) error {
		if uploads.Add(1) == 1 {
			return errLost
		}
		return nil
	}
	proxy.ErrorHandler = func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }
	lossy := httptest.NewServer(proxy)
	t.Cleanup(lossy.Close)
	o := s.openAt(t, s.claims.interval(), sink, lossy.URL)
	o.send("repeated:1|c")
	o.eventually("an upload is repeated", func() error {
		if n := uploads.Load(); n < 2 {
			return fmt.Errorf("%d uploads", n)
		}
		return nil
	})
	o.send("repeated:2|c")
	o.settle()
	o.final()
	o.verify(counter("repeated|", 3))
	if sink.Activity().Duplicates == 0 {
		t.Error("no upload came with a key that had come before")
	}
}

var errLost = errors.New("the acknowledgement was lost on purpose")
