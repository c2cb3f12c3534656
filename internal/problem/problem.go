// Package problem holds the one kind of error that crosses packages: classified once where it is found,
// shaped at the edge. It knows no HTTP status and no dialect.
package problem

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Kind says what went wrong, for machines. The zero Kind is Internal: the caller learns nothing more.
type Kind int

// The closed set of kinds. An edge that shapes them has a default that answers as for Internal.
const (
	Internal             Kind = iota
	Invalid                   // the input breaks a rule; Field names where
	Unauthenticated           // no credential, or one that is unknown, expired or revoked
	Forbidden                 // known, but not allowed
	SignInStale               // known, but it takes a sign-in of the last minutes
	NotFound                  // no such thing, or not for this caller
	MethodNotAllowed          // the path exists, the method does not
	Conflict                  // the thing changed meanwhile, or is in a state that has no such move
	KeyUsed                   // an earlier call has the same Idempotency-Key and the same body; RetryAfter, if it may still be answered
	KeyReused                 // an earlier call has the same Idempotency-Key and another body
	TooLarge                  // a body or a header past its bound
	UnsupportedMedia          // a content type or encoding that is not taken
	ModelNotGranted           // the grant does not cover the model
	CapabilityNotGranted      // the grant does not cover what the call uses
	GrantEnded                // the grant is revoked, expired, denied or not approved yet
	GrantPaused               // the grant is paused by its owner, or all apps are stopped
	BudgetSpent               // the money left does not cover the worst case of the call
	CallsSpent                // the calls of the grant are used up
	RateExceeded              // too fast; RetryAfter says when again
	Busy                      // a bound of ours is reached; RetryAfter says when again
	Unpriced                  // the model or a part of the call has no price, so it cannot be capped
	CredentialMissing         // the owner has put no key for the provider
	CredentialRefused         // the provider refused the owner's key
	UpstreamFailed            // the provider could not be reached or answered nonsense
	UpstreamTimeout           // the provider did not answer in time
	Unavailable               // we cannot do it now: the disk is full, or we are shutting down
	ClientGone                // the caller hung up; nobody reads the answer
)

var kindNames = [...]string{
	Internal:             "internal",
	Invalid:              "invalid",
	Unauthenticated:      "unauthenticated",
	Forbidden:            "forbidden",
	SignInStale:          "sign_in_stale",
	NotFound:             "not_found",
	MethodNotAllowed:     "method_not_allowed",
	Conflict:             "conflict",
	KeyUsed:              "key_used",
	KeyReused:            "key_reused",
	TooLarge:             "too_large",
	UnsupportedMedia:     "unsupported_media",
	ModelNotGranted:      "model_not_granted",
	CapabilityNotGranted: "capability_not_granted",
	GrantEnded:           "grant_ended",
	GrantPaused:          "grant_paused",
	BudgetSpent:          "budget_spent",
	CallsSpent:           "calls_spent",
	RateExceeded:         "rate_exceeded",
	Busy:                 "busy",
	Unpriced:             "unpriced",
	CredentialMissing:    "credential_missing",
	CredentialRefused:    "credential_refused",
	UpstreamFailed:       "upstream_failed",
	UpstreamTimeout:      "upstream_timeout",
	Unavailable:          "unavailable",
	ClientGone:           "client_gone",
}

// String is the kind's name, for the log.
func (k Kind) String() string {
	if k < 0 || int(k) >= len(kindNames) {
		return "unknown"
	}
	return kindNames[k]
}

// Error is an error that is safe to show: Detail is for the caller, Cause for the log only.
type Error struct {
	Kind       Kind
	Detail     string
	Field      string        // the member of the input that is at fault, in the caller's own spelling
	RetryAfter time.Duration // zero: unknown
	Cause      error
}

// New makes an Error with a detail that the caller may read.
func New(k Kind, format string, args ...any) *Error {
	return &Error{Kind: k, Detail: fmt.Sprintf(format, args...)}
}

// Wrap makes an Error around a cause that only the log may read.
func Wrap(cause error, k Kind, format string, args ...any) *Error {
	return &Error{Kind: k, Detail: fmt.Sprintf(format, args...), Cause: cause}
}

// In returns a copy of e that names the field at fault.
func (e *Error) In(field string) *Error {
	c := *e
	c.Field = field
	return &c
}

// After returns a copy of e that says when to try again.
func (e *Error) After(d time.Duration) *Error {
	c := *e
	c.RetryAfter = d
	return &c
}

// Error is for the log: it has the cause. Show callers Detail instead.
func (e *Error) Error() string {
	s := e.Detail
	if e.Field != "" {
		s = e.Field + ": " + s
	}
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Cause }

// From returns the Error inside err. What was never classified is Internal with a detail that tells nothing.
func From(err error) *Error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if errors.Is(err, context.Canceled) {
		return &Error{Kind: ClientGone, Detail: "the call was given up", Cause: err}
	}
	return &Error{Kind: Internal, Detail: "internal error", Cause: err}
}

// KindOf is the kind of err; Internal for anything unclassified, nil included.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}
