// Package vault is the sole owner of provider credentials: it seals them, and lends one for the length of a function call. It may
// not touch HTTP or logs.
package vault
