//go:build !failpoint

package failpoint

// Here is a place to die, in a binary built for that.
func Here() {}
