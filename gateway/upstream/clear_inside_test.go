package upstream

import (
	"bufio"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// TestIdleConnectionsAreClosed: after a minute and a half at the latest, nothing runs any more, and no more than maxIdle are kept.
func TestIdleConnectionsAreClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &clear{idle: map[string][]*line{}}
		give := func() net.Conn {
			mine, theirs := net.Pipe()
			c.give(&line{pool: c, address: "a", conn: mine, r: bufio.NewReader(mine)})
			return theirs
		}
		closed := func(theirs net.Conn) bool {
			theirs.SetReadDeadline(time.Now().Add(time.Nanosecond))
			_, err := theirs.Read(make([]byte, 1))
			e, ok := err.(net.Error)
			return !ok || !e.Timeout()
		}
		first := give()
		time.Sleep(idlePeriod - time.Second)
		late := give()
		time.Sleep(idlePeriod + 2*time.Second)
		synctest.Wait()
		if !closed(first) || !closed(late) {
			t.Errorf("idle since %s and %s: closed %v and %v, want both", 2*idlePeriod, idlePeriod+2*time.Second, closed(first), closed(late))
		}
		if len(c.idle) != 0 || c.sweeper != nil {
			t.Errorf("%d addresses and a sweeper %v are left", len(c.idle), c.sweeper)
		}
		for range maxIdle {
			give()
		}
		if over := give(); !closed(over) || len(c.idle["a"]) != maxIdle {
			t.Errorf("%d are kept, want %d", len(c.idle["a"]), maxIdle)
		}
		c.sweep(true)
		if len(c.idle) != 0 || c.sweeper != nil {
			t.Error("Close leaves some")
		}
	})
}
