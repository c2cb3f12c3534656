// Package e2e starts the built binary against a fake provider on loopback and looks at it from outside only: the seed's
// lifecycle, native dialects, streams, money under load, crashes, and one test for each threat that one instance can show.
// It has no production code.
package e2e
