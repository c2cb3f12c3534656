package dialect

import (
	"net/http"
	"strconv"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/respond"
)

// Status is the HTTP status that answers a problem at the gateway, whatever the dialect: the one table of internal/respond.
func Status(k problem.Kind) int { return respond.Status(k) }

// Code is our own word for a problem, where a dialect has none of its own.
func Code(k problem.Kind) string {
	switch k {
	case problem.Invalid:
		return "invalid_request"
	case problem.Unpriced:
		return "not_priced"
	case problem.Unauthenticated:
		return "invalid_api_key"
	case problem.GrantEnded:
		return "grant_ended"
	case problem.GrantPaused:
		return "grant_paused"
	case problem.Forbidden:
		return "forbidden"
	case problem.SignInStale:
		return "sign_in_stale"
	case problem.ModelNotGranted:
		return "model_not_granted"
	case problem.CapabilityNotGranted:
		return "capability_not_granted"
	case problem.NotFound:
		return "not_found"
	case problem.MethodNotAllowed:
		return "method_not_allowed"
	case problem.Conflict:
		return "conflict"
	case problem.KeyUsed:
		return "idempotency_key_used"
	case problem.KeyReused:
		return "idempotency_key_reused"
	case problem.TooLarge:
		return "request_too_large"
	case problem.UnsupportedMedia:
		return "unsupported_media_type"
	case problem.BudgetSpent:
		return "budget_spent"
	case problem.CallsSpent:
		return "calls_spent"
	case problem.RateExceeded:
		return "rate_exceeded"
	case problem.Busy:
		return "busy"
	case problem.CredentialMissing:
		return "credential_missing"
	case problem.CredentialRefused:
		return "credential_refused"
	case problem.UpstreamFailed:
		return "upstream_failed"
	case problem.UpstreamTimeout:
		return "upstream_timeout"
	case problem.Unavailable:
		return "unavailable"
	case problem.ClientGone:
		return "client_gone"
	default:
		return "internal_error"
	}
}

// Detail is what the caller may read of a problem. An internal one tells nothing, whatever it was made with.
func Detail(p *problem.Error) string {
	if p == nil || Status(p.Kind) == http.StatusInternalServerError {
		return "internal error"
	}
	if p.Detail == "" {
		return http.StatusText(Status(p.Kind))
	}
	return p.Detail
}

// KindOf is the kind of p; of nil it is Internal.
func KindOf(p *problem.Error) problem.Kind {
	if p == nil {
		return problem.Internal
	}
	return p.Kind
}

// Header is what the clients of all dialects look at in an error: the content type, and when to try again.
// OpenAI's and Anthropic's SDKs obey x-should-retry before everything else, then retry-after-ms, then Retry-After. What is spent
// stays spent, and what only the owner can mend is not mended by trying again: those say "false" and no time.
func Header(p *problem.Error) http.Header {
	h := http.Header{"Content-Type": {"application/json"}}
	switch KindOf(p) {
	case problem.BudgetSpent, problem.CallsSpent, problem.CredentialMissing, problem.CredentialRefused, problem.Conflict, problem.KeyReused:
		h.Set("X-Should-Retry", "false")
	case problem.KeyUsed:
		// The SDKs try a 409 again by themselves. That helps only where the first call's answer may still come.
		h.Set("X-Should-Retry", strconv.FormatBool(p.RetryAfter > 0))
		retryAfter(h, p.RetryAfter)
	case problem.RateExceeded, problem.Busy, problem.Unavailable:
		retryAfter(h, p.RetryAfter)
	default:
	}
	return h
}

func retryAfter(h http.Header, d time.Duration) {
	if d <= 0 {
		return
	}
	up := func(unit time.Duration) string { return strconv.FormatInt(int64((d+unit-1)/unit), 10) }
	h.Set("Retry-After", up(time.Second))
	h.Set("Retry-After-Ms", up(time.Millisecond))
}
