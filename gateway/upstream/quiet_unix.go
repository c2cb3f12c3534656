//go:build unix

package upstream

import (
	"net"
	"syscall"
)

// canAsk says that quiet can tell.
const canAsk = true

// quiet says whether an idle connection is still open and nothing lies in it: what came unasked, or its end, makes it useless. It does
// not wait.
func quiet(conn net.Conn) bool {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	var b [1]byte
	var got error
	err = raw.Read(func(fd uintptr) bool {
		_, got = syscall.Read(int(fd), b[:])
		return true
	})
	return err == nil && (got == syscall.EAGAIN || got == syscall.EWOULDBLOCK)
}
