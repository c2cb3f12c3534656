// Package patience makes contexts for what is done although its caller may have gone. It owns nothing; it may not touch I/O.
package patience

import (
	"context"
	"sync"
	"time"
)

// Context has the values of a parent, not its end, and an end of its own. Its time runs from when somebody first asks for the end: what
// nearly always is done at once needs no timer. It is safe for use by several goroutines.
type Context struct {
	context.Context // the parent, without its end
	wait            time.Duration

	once   sync.Once // guards the fields below
	inner  context.Context
	cancel context.CancelFunc
}

// For returns a context that waits for d. Over must be called.
func For(parent context.Context, d time.Duration) *Context {
	return &Context{Context: context.WithoutCancel(parent), wait: d}
}

func (c *Context) start() {
	c.once.Do(func() { c.inner, c.cancel = context.WithTimeout(c.Context, c.wait) })
}

// Over ends it and frees its timer.
func (c *Context) Over() {
	c.once.Do(func() { c.inner, c.cancel = context.WithCancel(c.Context) })
	c.cancel()
}

// Deadline implements context.Context.
func (c *Context) Deadline() (time.Time, bool) {
	c.start()
	return c.inner.Deadline()
}

// Done implements context.Context.
func (c *Context) Done() <-chan struct{} {
	c.start()
	return c.inner.Done()
}

// Err implements context.Context.
func (c *Context) Err() error {
	c.start()
	return c.inner.Err()
}
