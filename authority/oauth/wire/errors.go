package wire

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/devrelopers/aipassport/internal/fields"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/record"
	"github.com/devrelopers/aipassport/internal/respond"
)

// Code is an OAuth error code.
type Code string

// The codes that we answer with, by where they are from.
const (
	// RFC 6749 §5.2 and §4.1.2.1
	InvalidRequest          Code = "invalid_request"
	InvalidClient           Code = "invalid_client"
	InvalidGrant            Code = "invalid_grant"
	UnauthorizedClient      Code = "unauthorized_client"
	UnsupportedGrantType    Code = "unsupported_grant_type"
	UnsupportedResponseType Code = "unsupported_response_type"
	InvalidScope            Code = "invalid_scope"
	AccessDenied            Code = "access_denied"
	ServerError             Code = "server_error"
	TemporarilyUnavailable  Code = "temporarily_unavailable"

	RequestNotSupported Code = "request_not_supported"         // RFC 9101 §6.3
	InvalidRequestURI   Code = "invalid_request_uri"           // RFC 9101 §6.3
	InteractionRequired Code = "interaction_required"          // OpenID Connect Core §3.1.2.6
	InvalidTarget       Code = "invalid_target"                // RFC 8707 §2
	InvalidDetails      Code = "invalid_authorization_details" // RFC 9396 §5
	InvalidDPoP         Code = "invalid_dpop_proof"            // RFC 9449 §5
	UseNonce            Code = "use_dpop_nonce"                // RFC 9449 §8
	InvalidMetadata     Code = "invalid_client_metadata"       // RFC 7591 §3.2.2
	InvalidRedirect     Code = "invalid_redirect_uri"          // RFC 7591 §3.2.2
	InvalidToken        Code = "invalid_token"                 // RFC 6750 §3.1
	Pending             Code = "authorization_pending"         // RFC 8628 §3.5
	SlowDown            Code = "slow_down"                     // RFC 8628 §3.5
	ExpiredToken        Code = "expired_token"                 // RFC 8628 §3.5
	UnsupportedToken    Code = "unsupported_token_type"        // RFC 7009 §2.2.1
	InsufficientDetails Code = "insufficient_authorization_details"
)

// Error is an OAuth error (RFC 6749 §5.2). Description is for the app's maker and safe to show; Cause is for the log.
type Error struct {
	Code        Code
	Description string
	Status      int // zero: the code's own
	RetryAfter  time.Duration
	Cause       error
}

// Bad makes an Error with a description that the caller may read.
func Bad(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Description: fmt.Sprintf(format, args...)}
}

// With returns a copy of e with a status of its own.
func (e *Error) With(status int) *Error {
	c := *e
	c.Status = status
	return &c
}

// Because returns a copy of e with a cause for the log.
func (e *Error) Because(err error) *Error {
	c := *e
	c.Cause = err
	return &c
}

// Error is for the log, which does not learn the description: that may quote what the caller sent.
func (e *Error) Error() string {
	if e.Cause != nil {
		return string(e.Code) + ": " + e.Cause.Error()
	}
	return string(e.Code)
}

func (e *Error) Unwrap() error { return e.Cause }

// statuses of the codes; those not listed are 400 (RFC 6749 §5.2).
var statuses = map[Code]int{
	InvalidClient: http.StatusUnauthorized, InvalidToken: http.StatusUnauthorized, AccessDenied: http.StatusBadRequest,
	ServerError: http.StatusInternalServerError, TemporarilyUnavailable: http.StatusServiceUnavailable, InsufficientDetails: http.StatusForbidden,
}

// Fields of problems with a DPoP proof, as guard/token has them: the names of the headers that the proof, and the nonce for the next, are in.
const (
	proofField = "DPoP"
	nonceField = "DPoP-Nonce"
)

// From is err as an OAuth error. Problems of internal/problem are shaped here and nowhere else; what was never classified is
// server_error, and the caller learns nothing more.
func From(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	p := problem.From(err)
	e := &Error{Code: ServerError, Description: respond.Text(p), RetryAfter: p.RetryAfter, Cause: err}
	if fe, ok := errors.AsType[*fields.Error](err); ok {
		e.Code, e.Description = InvalidRequest, fe.Error()
		return e
	}
	if p.Field != "" && p.Kind != problem.Internal {
		e.Description = p.Field + ": " + p.Detail
	}
	switch p.Kind {
	case problem.Invalid, problem.Unauthenticated:
		e.Code = InvalidRequest
		if p.Kind == problem.Unauthenticated {
			e.Code = InvalidClient
		}
		switch p.Field {
		case proofField:
			e.Code, e.Description = InvalidDPoP, p.Detail
		case nonceField:
			e.Code, e.Description = UseNonce, p.Detail
		}
	case problem.NotFound, problem.MethodNotAllowed, problem.TooLarge, problem.UnsupportedMedia, problem.Conflict:
		e.Code, e.Status = InvalidRequest, respond.Status(p.Kind)
	case problem.Forbidden:
		e.Code = UnauthorizedClient
	case problem.GrantEnded:
		e.Code = InvalidGrant
	case problem.GrantPaused: // it comes back, and invalid_grant would tell the app to throw its refresh token away (RFC 6749 §5.2)
		e.Code = TemporarilyUnavailable
	case problem.RateExceeded, problem.Busy:
		e.Code, e.Status = TemporarilyUnavailable, http.StatusTooManyRequests
	case problem.Unavailable:
		e.Code = TemporarilyUnavailable
	}
	return e
}

// Fail answers with err as JSON (RFC 6749 §5.2) and notes it for the log. A 401 names the scheme that a client may prove itself by.
func Fail(w http.ResponseWriter, r *http.Request, err error) {
	record.From(r.Context()).Err = err
	e := From(err)
	status := cmp.Or(e.Status, statuses[e.Code], http.StatusBadRequest)
	if status == http.StatusUnauthorized && w.Header().Get("WWW-Authenticate") == "" {
		w.Header().Set("WWW-Authenticate", `Basic realm="aipassport"`)
	}
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", respond.Seconds(e.RetryAfter))
	}
	JSON(w, status, struct {
		Code        Code   `json:"error"`
		Description string `json:"error_description,omitempty"`
	}{e.Code, Plain(e.Description)})
}

// maxDescription bounds a description, in bytes: it may go into an address.
const maxDescription = 300

// Plain is a description in the characters that RFC 6749 §5.2 has for it: printable ASCII without quotation mark and backslash.
func Plain(s string) string {
	s = strings.Map(func(c rune) rune {
		switch {
		case c == '"' || c == '\\':
			return '\''
		case c < ' ' || c > '~':
			return '?'
		}
		return c
	}, s)
	return s[:min(len(s), maxDescription)]
}
