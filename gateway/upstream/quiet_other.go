//go:build !unix

package upstream

import "net"

// canAsk is false: http.Transport has all connections, which reads them while they are idle.
const canAsk = false

func quietOf(net.Conn) func() bool { return func() bool { return false } }
