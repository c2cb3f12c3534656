// Package failpoint lets a test kill the broker between any two commits of the ledger. A binary that is built without the tag
// failpoint has none of it: Here does nothing, and there is no switch.
package failpoint
