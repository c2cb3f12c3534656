package upstream

import (
	"bufio"
	"context"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"sync"
	"time"
)

// Bounds of the connections in clear.
const (
	maxClearBody = 64 << 10 // of a request; what is larger may be answered before it is written, which takes a second goroutine
	maxInterim   = 8        // answers of 1xx before the one that counts
	maxHead      = 64 << 10 // bytes of an answer's header
	maxIdle      = 512      // connections kept to one address
	idlePeriod   = 45 * time.Second
)

// clear keeps connections over which a provider is spoken to in clear: the server of models next door, or a proxy of the operator's.
// One call at a time has a connection, and the goroutine of the call writes and reads it. http.Transport, which does the same for what is
// encrypted, has two goroutines of its own for each connection and hands each request and answer between three; where a provider
// answers at once, that is a fifth of what a call costs (docs/performance.md). Answers are read by net/http.
type clear struct {
	dial func(ctx context.Context, network, address string) (net.Conn, error)

	mu      sync.Mutex         // guards the fields below
	idle    map[string][]*line // by address, the one used last at the end
	sweeper *time.Timer        // while there are idle ones
}

// line is one connection.
type line struct {
	pool    *clear
	address string
	conn    net.Conn
	quiet   func() bool // still open, with nothing in it; asked while it is idle
	r       *bufio.Reader
	head    int64 // bytes that may still be read before the header has to be over
	old     bool  // idle since before the last sweep; guarded by clear.mu
}

var errHead = errors.New("the header of the answer is too long")

// Read is what r reads from.
func (l *line) Read(p []byte) (int, error) {
	if l.head <= 0 {
		return 0, errHead
	}
	n, err := l.conn.Read(p)
	l.head -= int64(n)
	return n, err
}

// take is a connection that its provider has not closed yet, or a new one.
func (c *clear) take(ctx context.Context, address string) (*line, error) {
	for {
		l := c.last(address)
		if l == nil {
			break
		}
		if l.quiet() {
			return l, nil
		}
		l.conn.Close()
	}
	conn, err := c.dial(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	l := &line{pool: c, address: address, conn: conn, quiet: quietOf(conn)}
	l.r = bufio.NewReaderSize(l, 4<<10)
	return l, nil
}

func (c *clear) last(address string) *line {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := c.idle[address]
	if len(list) == 0 {
		return nil
	}
	l := list[len(list)-1]
	list[len(list)-1] = nil
	c.idle[address] = list[:len(list)-1]
	return l
}

// give keeps a connection for the next call.
func (c *clear) give(l *line) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.idle[l.address]) >= maxIdle {
		l.conn.Close()
		return
	}
	l.old = false
	c.idle[l.address] = append(c.idle[l.address], l)
	if c.sweeper == nil {
		c.sweeper = time.AfterFunc(idlePeriod, func() { c.sweep(false) })
	}
}

// sweep closes what was idle at the last sweep too, or all.
func (c *clear) sweep(all bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for address, list := range c.idle {
		keep := list[:0]
		for _, l := range list {
			if all || l.old {
				l.conn.Close()
				continue
			}
			l.old = true
			keep = append(keep, l)
		}
		for i := len(keep); i < len(list); i++ {
			list[i] = nil
		}
		if c.idle[address] = keep; len(keep) == 0 {
			delete(c.idle, address)
		}
	}
	if c.sweeper != nil {
		c.sweeper.Stop()
		c.sweeper = nil
	}
	if len(c.idle) > 0 {
		c.sweeper = time.AfterFunc(idlePeriod, func() { c.sweep(false) })
	}
}

// use is one call's use of a connection, and the body of its answer.
type use struct {
	line *line
	body io.Reader
	stop func() bool // no end of the call's context cuts it any more; false: one has
	last bool        // the connection ends with this answer

	mu   sync.Mutex
	over bool // the connection is another's, or closed; guarded by mu
}

// roundTrip writes a request and reads the header of its answer. Read to its end, the answer gives the connection back. The end of ctx
// closes the connection, whatever is under way.
func (u *use) roundTrip(ctx context.Context, req *http.Request, body []byte) (*http.Response, error) {
	u.stop = context.AfterFunc(ctx, u.cut)
	res, err := u.line.exchange(req, body)
	if err != nil {
		u.end(false)
		return nil, err
	}
	u.body, u.last = res.Body, res.Close || res.StatusCode < 200
	res.Body = u
	return res, nil
}

// begun says whether more than the header of an answer has come; where that cannot be seen, no.
func begun(body io.Reader) bool {
	u, ok := body.(*use)
	return ok && u.line.r.Buffered() > 0
}

func (u *use) Read(p []byte) (int, error) {
	n, err := u.body.Read(p)
	if err != nil {
		u.end(err == io.EOF && !u.last)
	}
	return n, err
}

// Close drops a connection whose answer was not read to its end: nobody knows how much is still to come.
func (u *use) Close() error {
	u.end(false)
	return nil
}

// cut closes the connection while it is this call's.
func (u *use) cut() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.over {
		u.line.conn.Close()
	}
}

func (u *use) end(whole bool) {
	uncut := u.stop()
	u.mu.Lock()
	was := u.over
	u.over = true
	u.mu.Unlock()
	switch {
	case was:
	case uncut && whole && u.line.r.Buffered() == 0:
		u.line.pool.give(u.line)
	default:
		u.line.conn.Close()
	}
}

func (l *line) exchange(req *http.Request, body []byte) (*http.Response, error) {
	if err := write(l.conn, req, body); err != nil {
		return nil, err
	}
	l.head = maxHead
	for range maxInterim {
		res, err := http.ReadResponse(l.r, req)
		if err != nil {
			return nil, err
		}
		if res.StatusCode >= 200 || res.StatusCode == http.StatusSwitchingProtocols {
			l.head = math.MaxInt64
			return res, nil
		}
	}
	return nil, errors.New("no answer after its interim ones")
}

// addressOf is where a request goes to, with its port.
func addressOf(req *http.Request) string {
	if req.URL.Port() != "" {
		return req.URL.Host
	}
	return net.JoinHostPort(req.URL.Hostname(), "80")
}
