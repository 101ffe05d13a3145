package target

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	lastWordsSize = 8 << 10
	// logSize bounds the copy on disk: a target that reports every bad line would
	// otherwise fill it.
	logSize = 16 << 20
)

// output takes what a process prints, from a pipe that serves as both of its
// outputs, so that their order is kept.
type output struct {
	reader  *os.File
	log     *os.File // nil without one
	drained chan struct{}

	mu      sync.Mutex
	tail    tail
	logged  int
	problem string // why the log is not complete
}

// openOutput returns the output and the end of its pipe for the process.
func openOutput(logPath string) (*output, *os.File, error) {
	o := &output{drained: make(chan struct{}), tail: tail{buffer: make([]byte, lastWordsSize)}}
	if logPath != "" {
		log, err := os.Create(logPath)
		if err != nil {
			return nil, nil, err
		}
		o.log = log
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		o.close()
		return nil, nil, err
	}
	o.reader = reader
	return o, writer, nil
}

// drain reads until the last process that holds the pipe has ended, or finish
// gives up. It never stops reading for another reason: a target whose pipe is
// full would stand still.
func (o *output) drain() {
	defer close(o.drained)
	buffer := make([]byte, 32<<10)
	for {
		n, err := o.reader.Read(buffer)
		o.take(buffer[:n])
		if err != nil {
			return
		}
	}
}

func (o *output) take(text []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tail.write(text)
	if o.log == nil || o.problem != "" {
		return
	}
	room := logSize - o.logged
	n, err := o.log.Write(text[:min(len(text), room)])
	o.logged += n
	switch {
	case err != nil:
		o.problem = fmt.Sprintf("cannot go on writing the log of the target: %v", err)
	case len(text) > room:
		o.problem = fmt.Sprintf("the log %s ends after %d MiB: the target printed more", o.log.Name(), logSize>>20)
	}
}

// finish waits up to grace for the end of the output, closes it, and reports
// whether the end was seen.
func (o *output) finish(grace time.Duration) bool {
	limit := time.NewTimer(grace)
	defer limit.Stop()
	whole := true
	select {
	case <-o.drained:
	case <-limit.C:
		whole = false
		o.reader.SetReadDeadline(time.Unix(1, 0))
		<-o.drained
	}
	o.close()
	return whole
}

func (o *output) close() {
	if o.reader != nil {
		o.reader.Close()
	}
	if o.log != nil {
		o.log.Close()
	}
}

func (o *output) lastWords() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.tail.text()
}

func (o *output) warnings() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.problem == "" {
		return nil
	}
	return []string{o.problem}
}

// tail keeps the last len(buffer) bytes of what is written to it.
type tail struct {
	buffer []byte
	next   int  // where the next byte goes
	full   bool // what follows next is older text
}

func (t *tail) write(text []byte) {
	if len(text) >= len(t.buffer) {
		copy(t.buffer, text[len(text)-len(t.buffer):])
		t.next, t.full = 0, true
		return
	}
	n := copy(t.buffer[t.next:], text)
	if t.next+n == len(t.buffer) {
		t.full = true
		t.next = copy(t.buffer, text[n:])
		return
	}
	t.next += n
}

// text is what was kept. Where older text was overwritten, a first line that may
// be cut is left out, unless there is no other.
func (t *tail) text() string {
	if !t.full {
		return strings.ToValidUTF8(string(t.buffer[:t.next]), "\uFFFD")
	}
	kept := append(bytes.Clone(t.buffer[t.next:]), t.buffer[:t.next]...)
	if _, rest, found := bytes.Cut(kept, []byte{'\n'}); found && len(rest) > 0 {
		kept = rest
	}
	return strings.ToValidUTF8(string(kept), "\uFFFD")
}
