// Package openrouter is the door for apps that were made for OpenRouter: a page to send the person to, and an endpoint that turns the
// code which the app gets back into a key. What is asked for becomes a grant as by every other door, and the key is an SDK key of it.
// The shape is that of openrouter.ai/docs/guides/overview/auth/oauth.md; only S256 is taken. It may not touch providers or the gateway.
package openrouter

import (
	"context"
	"time"

	"github.com/devrelopers/aipassport/passport"
)

// Store keeps the requests, beside their grants. Each method is one atomic step, durable on nil.
type Store interface {
	// AddKeyRequest stores a request without a code. Of too many the oldest are forgotten. Error: Conflict if its grant has one.
	AddKeyRequest(ctx context.Context, k passport.KeyRequest) error
	// KeyRequest reads the request of a grant. Error: NotFound.
	KeyRequest(ctx context.Context, g passport.GrantID) (passport.KeyRequest, error)
	// PutKeyCode gives a request a code in place of the one before. Error: Conflict if a key was given for it, or there is no request.
	PutKeyCode(ctx context.Context, g passport.GrantID, hash [32]byte, ends time.Time) error
	// KeyRequestOfCode reads the request whose code has a hash, if no key was given for it. Error: NotFound.
	KeyRequestOfCode(ctx context.Context, hash [32]byte) (passport.KeyRequest, error)
	// TakeKeyCode uses a code up: one of many callers gets nil. Error: Conflict.
	TakeKeyCode(ctx context.Context, hash [32]byte) error
}
