// Package respond writes answers of our own surfaces: JSON, and errors in the seed's shape. It decides nothing.
package respond

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/devrelopers/aipassport/internal/fields"
	"github.com/devrelopers/aipassport/internal/problem"
)

// Status is the HTTP status of a kind (DESIGN section 4). What is not in the table is 500.
func Status(k problem.Kind) int {
	if s, ok := statuses[k]; ok {
		return s
	}
	return http.StatusInternalServerError
}

var statuses = map[problem.Kind]int{
	problem.Invalid: 400, problem.Unpriced: 400,
	problem.Unauthenticated: 401, problem.GrantEnded: 401,
	problem.Forbidden: 403, problem.SignInStale: 403, problem.ModelNotGranted: 403, problem.CapabilityNotGranted: 403, problem.GrantPaused: 403,
	problem.NotFound: 404, problem.MethodNotAllowed: 405, problem.Conflict: 409, problem.KeyUsed: 409,
	problem.KeyReused: 422, problem.TooLarge: 413, problem.UnsupportedMedia: 415,
	problem.BudgetSpent: 429, problem.CallsSpent: 429, problem.RateExceeded: 429, problem.Busy: 429,
	problem.ClientGone: 499, // nobody reads it; nginx made the number common
	problem.Internal:   500, problem.Unavailable: 503,
	problem.CredentialMissing: 502, problem.CredentialRefused: 502, problem.UpstreamFailed: 502, problem.UpstreamTimeout: 504,
}

// JSON writes v with a status. Answers of ours are never cached: they tell of money and tokens.
func JSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		status, b = http.StatusInternalServerError, []byte(`{"error":"internal error"}`)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	w.Write(b)
}

// Error writes err in the seed's shape: {"error": text}, with details where the fields of a body are wrong.
func Error(w http.ResponseWriter, err error) {
	if fe, ok := errors.AsType[*fields.Error](err); ok {
		form, byField := fe.Form, fe.Fields
		if form == nil {
			form = []string{}
		}
		if byField == nil {
			byField = map[string][]string{}
		}
		JSON(w, http.StatusBadRequest, map[string]any{
			"error": "Validation failed", "details": map[string]any{"formErrors": form, "fieldErrors": byField}})
		return
	}
	p := problem.From(err)
	if p.RetryAfter > 0 {
		w.Header().Set("Retry-After", Seconds(p.RetryAfter))
	}
	JSON(w, Status(p.Kind), map[string]string{"error": Text(p)})
}

// Text is what the caller reads of a problem; of an internal one it learns nothing.
func Text(p *problem.Error) string {
	if p.Kind == problem.Internal {
		return "internal error"
	}
	return p.Detail
}

// Seconds is a Retry-After value (RFC 9110 §10.2.3): whole seconds, rounded up, at least 1.
func Seconds(d time.Duration) string {
	return strconv.Itoa(max(1, int(math.Ceil(d.Seconds()))))
}
