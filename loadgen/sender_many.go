package loadgen

import "errors"

// spread is the number of datagrams in a row that go through one socket before
// it is the next one's turn. Single datagrams in turn would be more like a fleet
// of clients, but cost the generator a system call each.
const spread = 16

// manySender shares a load among several sockets: datagram k leaves through
// socket k/spread modulo their number, so what each of them carries is the same
// in every run. A socket that is full holds up those after it: the order of the
// corpus is the order of sending.
type manySender struct {
	senders []Sender
}

func (m *manySender) Send(c *Corpus, from, to int) (int, error) {
	for next := from; next < to; {
		turn := next / spread
		end := min(to, (turn+1)*spread)
		n, err := m.senders[turn%len(m.senders)].Send(c, next, end)
		next += n
		if err != nil || next < end {
			return next - from, err
		}
	}
	return to - from, nil
}

// Stats is the sum over the sockets.
func (m *manySender) Stats() SenderStats {
	var sum SenderStats
	for _, s := range m.senders {
		sum = sum.plus(s.Stats(), 1)
	}
	return sum
}

func (m *manySender) prepare(c *Corpus) error {
	first, ok := m.senders[0].(*clientSender)
	if !ok {
		return nil // no other sender has anything to prepare
	}
	err := first.prepare(c)
	for _, s := range m.senders[1:] {
		s.(*clientSender).calls = first.calls // only read from here on
	}
	return err
}

func (m *manySender) flush() error {
	var errs []error
	for _, s := range m.senders {
		if f, ok := s.(flusher); ok {
			errs = append(errs, f.flush())
		}
	}
	return errors.Join(errs...)
}

func (m *manySender) Close() error { return closeAll(m.senders) }

func closeAll(senders []Sender) error {
	var errs []error
	for _, s := range senders {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}
