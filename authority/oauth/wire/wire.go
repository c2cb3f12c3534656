// Package wire is what the endpoints of the authorization server share: strict forms, OAuth's errors and answers, the ai_access details,
// and the shape of a grant type. It decides nothing, and may not touch storage, providers or the gateway.
package wire

import (
	"context"
	"net/http"
	"time"

	"github.com/devrelopers/aipassport/internal/respond"
	"github.com/devrelopers/aipassport/passport"
)

// Call is a request at the token endpoint whose client is known: it has proved who it is, or is a public one that named itself.
type Call struct {
	Request *http.Request // its body is read; see Form
	Client  passport.Client
	Form    Form
	JKT     string // RFC 7638 thumbprint of the key that the request proved (RFC 9449 §5); empty: it proved none
}

// GrantType handles one grant_type at the token endpoint. Errors are *Error or of internal/problem; Fail shapes both.
type GrantType func(ctx context.Context, c Call) (Answer, error)

// Answer is a good answer of the token endpoint (RFC 6749 §5.1; authorization_details: RFC 9396 §7). What was granted is in it, not
// what was asked.
type Answer struct {
	AccessToken  string           `json:"access_token"`
	IssuedType   string           `json:"issued_token_type,omitempty"` // RFC 8693 §2.2.1
	TokenType    string           `json:"token_type"`
	ExpiresIn    int64            `json:"expires_in"` // seconds
	RefreshToken string           `json:"refresh_token,omitempty"`
	Details      []Detail         `json:"authorization_details"`
	GrantID      passport.GrantID `json:"grant_id"`
}

// Detail is an ai_access object as it goes out: with its type (RFC 9396 §2).
type Detail struct {
	Type string `json:"type"`
	passport.Detail
}

// Typed adds the type to details.
func Typed(ds []passport.Detail) []Detail {
	out := make([]Detail, len(ds))
	for i, d := range ds {
		out[i] = Detail{passport.DetailType, d}
	}
	return out
}

// The token types that we give (RFC 6750, RFC 9449 §5).
const (
	Bearer = "Bearer"
	DPoP   = "DPoP"
)

// TokenType is the type of a token that is bound to a key, or to none.
func TokenType(jkt string) string {
	if jkt != "" {
		return DPoP
	}
	return Bearer
}

// Seconds is how long from now until an end, in whole seconds, rounded down and never negative.
func Seconds(now, end time.Time) int64 { return max(0, int64(end.Sub(now)/time.Second)) }

// JSON writes a good answer. It is never cached (RFC 6749 §5.1); Pragma is for old proxies, which the RFC has in mind.
func JSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Pragma", "no-cache")
	respond.JSON(w, status, v)
}
