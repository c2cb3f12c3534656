package pgtest

import (
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
)

// Line is the way from a store to its server, which a test can break: cut it is as if the process were dead to all others; deaf, what
// is sent arrives and the answers are lost.
type Line struct {
	URL  string // to go this way
	to   string
	Deaf atomic.Bool

	mu    sync.Mutex // guards what follows
	cut   bool
	conns map[net.Conn]bool
}

// LineTo makes a way to the database at an address, for the length of a test.
func LineTo(t testing.TB, address string) *Line {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &Line{to: u.Host, conns: map[net.Conn]bool{}}
	u.Host = listener.Addr().String()
	l.URL = u.String()
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() { l.carry(c) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		l.Set(true)
		all.Wait()
	})
	return l
}

// Set cuts the line, or mends it.
func (l *Line) Set(cut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = cut
	if cut {
		for c := range l.conns {
			c.Close()
		}
	}
}

func (l *Line) keep(c net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut {
		c.Close()
		return false
	}
	l.conns[c] = true
	return true
}

func (l *Line) drop(c net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, c)
	c.Close()
}

func (l *Line) carry(in net.Conn) {
	if !l.keep(in) {
		return
	}
	defer l.drop(in)
	out, err := net.Dial("tcp", l.to)
	if err != nil || !l.keep(out) {
		return
	}
	defer l.drop(out)
	var both sync.WaitGroup
	both.Go(func() {
		io.Copy(out, in)
		out.Close()
	})
	io.Copy(answers{in, l}, out)
	in.Close()
	both.Wait()
}

// answers lets through what the server says unless the line is deaf.
type answers struct {
	net.Conn
	line *Line
}

func (a answers) Write(p []byte) (int, error) {
	if a.line.Deaf.Load() {
		return len(p), nil
	}
	return a.Conn.Write(p)
}
