package sqlite_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/devrelopers/aipassport/passport"
)

// leaving is a caller that leaves when it is asked for the nth time whether it is still there.
type leaving struct {
	context.Context
	leave context.CancelFunc
	asked atomic.Int64
}

func (c *leaving) Done() <-chan struct{} { c.ask(); return c.Context.Done() }

func (c *leaving) Err() error { c.ask(); return c.Context.Err() }

func (c *leaving) ask() {
	if c.asked.Add(-1) == 0 {
		c.leave()
	}
}

// A caller may leave at any moment of a read: the one connection for reads is whole after it, with the statements that it keeps.
func TestAReadOutlivesItsCaller(t *testing.T) {
	o := path(t.TempDir())
	o.Readers = 1
	s := open(t, o)
	active(t, s, "g", 100, 10)
	hold(t, s, ask("g", "r1", 100))
	const most = 500 // times that a read asks; it asks fewer
	for n := int64(1); ; n++ {
		inner, leave := context.WithCancel(t.Context())
		c := &leaving{Context: inner, leave: leave}
		c.asked.Store(n)
		_, err := s.Reservations(c, "g", "", 10)
		left := c.asked.Load() <= 0
		leave()
		for range 2 {
			if all, err := s.Reservations(t.Context(), "g", "", 10); err != nil || len(all) != 1 || all[0].ID != passport.ReservationID("r1") {
				t.Fatalf("after a caller that left at %d: %v, %v", n, all, err)
			}
		}
		if !left && err == nil {
			t.Logf("a read asks %d times", n-1)
			return
		}
		if n == most {
			t.Fatalf("a read asks more than %d times", most)
		}
	}
}
