//go:build unix

package upstream

import (
	"net"
	"syscall"
)

// canAsk says that quiet can tell.
const canAsk = true

// quietOf returns what says whether an idle connection is still open and nothing lies in it: what came unasked, or its end, makes it
// useless. It does not wait. One at a time may ask.
func quietOf(conn net.Conn) func() bool {
	never := func() bool { return false }
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return never
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return never
	}
	var b [1]byte
	var got error
	look := func(fd uintptr) bool {
		_, got = syscall.Read(int(fd), b[:])
		return true
	}
	return func() bool {
		err := raw.Read(look)
		return err == nil && (got == syscall.EAGAIN || got == syscall.EWOULDBLOCK)
	}
}
