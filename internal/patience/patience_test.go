package patience_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/devrelopers/aipassport/internal/patience"
)

type key struct{}

func TestItEndsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parent, leave := context.WithCancel(context.WithValue(t.Context(), key{}, "kept"))
		c := patience.For(parent, time.Second)
		defer c.Over()
		leave()
		time.Sleep(time.Hour) // before anybody asks
		if end, ok := c.Deadline(); !ok || !end.Equal(time.Now().Add(time.Second)) {
			t.Errorf("it ends at %v, %v", end, ok)
		}
		time.Sleep(900 * time.Millisecond)
		if c.Err() != nil || c.Value(key{}) != "kept" {
			t.Errorf("it ended with its parent: %v, value %v", c.Err(), c.Value(key{}))
		}
		below, cancel := context.WithCancel(c)
		defer cancel()
		asked := time.Now()
		<-below.Done()
		if waited := time.Since(asked); waited != 100*time.Millisecond || context.Cause(below) != context.DeadlineExceeded || context.Cause(c) != context.DeadlineExceeded {
			t.Errorf("it ended after %s more: %v", waited, context.Cause(below))
		}
	})
}

func TestOverEndsIt(t *testing.T) {
	for _, asked := range []bool{false, true} {
		c := patience.For(t.Context(), time.Hour)
		if asked && c.Err() != nil {
			t.Error("it has ended:", c.Err())
		}
		c.Over()
		c.Over()
		select {
		case <-c.Done():
		default:
			t.Error("it goes on after Over, asked before:", asked)
		}
		if c.Err() != context.Canceled {
			t.Error("its error is", c.Err())
		}
	}
}
