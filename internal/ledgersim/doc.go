// Package ledgersim has no code of its own. Its tests are a simulator of the ledger: the real guard/meter over the real
// store/sqlite, on a disk, a clock, a provider and callers that are models, driven by one seed. It looks for a moment at which
// what the provider bills is not covered by what the ledger says.
package ledgersim
