package postgres_test

import (
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/devrelopers/aipassport/internal/testutil"
)

// line is the way from a store to its server, which a test can break: cut it is as if the process were dead to all others; deaf, what
// is sent arrives and the answers are lost.
type line struct {
	url    string // to go this way
	direct string
	to     string
	deaf   atomic.Bool

	mu    sync.Mutex // guards what follows
	cut   bool
	conns map[net.Conn]bool
}

func lineTo(t *testing.T, address string) *line {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &line{direct: address, to: u.Host, conns: map[net.Conn]bool{}}
	u.Host = listener.Addr().String()
	l.url = u.String()
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
		l.set(true)
		all.Wait()
	})
	return l
}

// set cuts the line, or mends it.
func (l *line) set(cut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = cut
	if cut {
		for c := range l.conns {
			c.Close()
		}
	}
}

func (l *line) keep(c net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut {
		c.Close()
		return false
	}
	l.conns[c] = true
	return true
}

func (l *line) drop(c net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, c)
	c.Close()
}

func (l *line) carry(in net.Conn) {
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
	line *line
}

func (a answers) Write(p []byte) (int, error) {
	if a.line.deaf.Load() {
		return len(p), nil
	}
	return a.Conn.Write(p)
}

// sqlOn runs statements past all stores.
func sqlOn(t *testing.T, url string, statements ...string) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	for _, text := range statements {
		if _, err := c.Exec(t.Context(), text); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
}

// await asks until a query says true.
func await(t *testing.T, url, query string) {
	t.Helper()
	ctx := testutil.Context(t)
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	for ok := false; !ok; {
		if err := c.QueryRow(ctx, query).Scan(&ok); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
	}
}
