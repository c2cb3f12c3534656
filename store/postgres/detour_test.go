package postgres_test

import (
	"bytes"
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
)

// detour is a way to a server on which, once it is armed, the first piece with a mark is held up. Everything else goes straight on.
type detour struct {
	URL string // to go this way

	mark  []byte
	cut   bool // who sent the piece hears at once that the connection is gone; else nothing, until it goes on
	armed atomic.Bool
	let   chan struct{} // closed: the piece goes on
	came  chan struct{} // closed when the server has answered it; of one that is cut only

	to  string
	all sync.WaitGroup
}

func newDetour(t *testing.T, address, mark string, cut bool) *detour {
	t.Helper()
	u, err := url.Parse(address)
	must(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	d := &detour{mark: []byte(mark), cut: cut, let: make(chan struct{}), came: make(chan struct{}), to: u.Host}
	u.Host = listener.Addr().String()
	d.URL = u.String()
	d.all.Go(func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			d.all.Go(func() { d.carry(in) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		d.release()
		d.all.Wait()
	})
	return d
}

// release lets go on what is held up.
func (d *detour) release() {
	select {
	case <-d.let:
	default:
		close(d.let)
	}
}

func (d *detour) carry(in net.Conn) {
	defer in.Close()
	out, err := net.Dial("tcp", d.to)
	if err != nil {
		return
	}
	defer out.Close()
	var held atomic.Bool
	back := make(chan struct{}) // closed when no answer can be given back any more
	d.all.Go(func() {
		defer close(back)
		io.Copy(writer(func(p []byte) (int, error) {
			if held.Load() && !d.cut {
				<-d.let // what the server says of its own is not heard either
			}
			return in.Write(p)
		}), out)
		in.Close()
	})
	piece := make([]byte, 64<<10)
	for {
		n, err := in.Read(piece)
		if bytes.Contains(piece[:n], d.mark) && d.armed.CompareAndSwap(true, false) {
			held.Store(true)
			if d.cut {
				in.Close()
			}
			<-d.let
			out.Write(piece[:n])
			if d.cut {
				<-back // the answer to the piece is the first that cannot be given
				close(d.came)
				return
			}
			continue
		}
		if n > 0 {
			if _, err := out.Write(piece[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }
