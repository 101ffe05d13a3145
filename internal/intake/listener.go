package intake

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// boundedListener accepts a connection only while fewer than its limit are
// open. The others wait in the backlog of the kernel. A connection makes room
// when it is closed.
type boundedListener struct {
	net.Listener
	accepted *atomic.Int64 // counts connections; nil counts nothing
	slowRead int64         // bytes a second of each connection; 0 is no limit
	byPeer   bool          // open is kept
	open     sync.Map      // connections by the address of their peer
	slots    chan struct{}
	closed   chan struct{}
	once     sync.Once
}

func newBoundedListener(listener net.Listener, limit int) *boundedListener {
	return &boundedListener{Listener: listener, slots: make(chan struct{}, limit), closed: make(chan struct{})}
}

// address is where it listens; empty when it is nil.
func (l *boundedListener) address() string {
	if l == nil {
		return ""
	}
	return l.Addr().String()
}

func (l *boundedListener) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	inner, err := l.Listener.Accept()
	if err != nil {
		l.release()
		return nil, err
	}
	if l.accepted != nil {
		l.accepted.Add(1)
	}
	c := &conn{Conn: inner, listener: l}
	if l.slowRead > 0 {
		c.pace = &pace{rate: l.slowRead, closed: make(chan struct{})}
	}
	if l.byPeer {
		l.open.Store(inner.RemoteAddr().String(), c)
	}
	return c, nil
}

// drain makes Accept fail once no connection has been waiting for a time.
func (l *boundedListener) drain(idle time.Duration) {
	if tcp, ok := l.Listener.(*net.TCPListener); ok {
		_ = tcp.SetDeadline(time.Now().Add(idle)) // one that is closed has no one waiting
	}
}

func (l *boundedListener) release() { <-l.slots }

func (l *boundedListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// conn gives its place back when it is closed, and can be read slowly.
type conn struct {
	net.Conn
	listener *boundedListener
	pace     *pace // nil is as fast as bytes come
	once     sync.Once
}

func (c *conn) Read(p []byte) (int, error) {
	if c.pace == nil {
		return c.Conn.Read(p)
	}
	return c.pace.read(c.Conn, p)
}

func (c *conn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() {
		if c.pace != nil {
			close(c.pace.closed)
		}
		if c.listener.byPeer {
			c.listener.open.Delete(c.RemoteAddr().String())
		}
		c.listener.release()
	})
	return err
}

// reset closes the connection so that its peer is told of a reset: what is in
// the kernel's buffers is thrown away.
func (c *conn) reset() {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // a connection that is gone needs no reset
	}
	_ = c.Close()
}

// pace spreads reads over time. What has been read is paid for before the next
// read, so that a single byte waits for nothing.
type pace struct {
	rate   int64 // bytes a second
	closed chan struct{}
	mu     sync.Mutex
	free   time.Time // when the next read may begin
}

// paceSteps is into how many reads a second's worth is cut at least.
const paceSteps = 20

func (p *pace) read(from net.Conn, b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if wait := time.Until(p.free); wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-p.closed:
			return 0, net.ErrClosed
		}
	}
	n, err := from.Read(b[:min(int64(len(b)), max(p.rate/paceSteps, 1))])
	p.free = time.Now().Add(time.Duration(float64(n) / float64(p.rate) * float64(time.Second)))
	return n, err
}
