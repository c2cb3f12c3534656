package gateway

import (
	"net/http"
	"strings"

	"github.com/devrelopers/aipassport/guard/token"
	"github.com/devrelopers/aipassport/internal/problem"
)

// credential finds what a caller shows, where its dialect has it. Everywhere it may also be in Authorization, with the scheme Bearer or, for
// a token that is bound to a key, DPoP. That scheme wins over a key beside it: the official SDKs put one into each request, whatever their
// fetch adds.
type credential func(*http.Request) (token.Shown, error)

var errNoToken = problem.New(problem.Unauthenticated, "no access token: put the token from AIPassport where the provider's key would be")

// bearer reads the Authorization header (RFC 6750 §2.1, RFC 9449 §7.1; the scheme is case-insensitive, RFC 9110 §11.1).
func bearer(r *http.Request) (token.Shown, error) {
	vs := r.Header.Values("Authorization")
	if len(vs) != 1 {
		return token.Shown{}, errNoToken
	}
	scheme, t, _ := strings.Cut(vs[0], " ")
	t = strings.TrimSpace(t)
	switch {
	case t == "":
	case strings.EqualFold(scheme, "Bearer"):
		return token.Shown{Access: t}, nil
	case strings.EqualFold(scheme, "DPoP"):
		return token.Shown{Access: t, DPoP: true, Asked: token.Asked{Proofs: r.Header.Values("DPoP"), Method: r.Method, Path: r.URL.EscapedPath()}}, nil
	}
	return token.Shown{}, errNoToken
}

func seedBearer(r *http.Request) (token.Shown, error) {
	s, err := bearer(r)
	if err != nil {
		return s, problem.Wrap(err, problem.Unauthenticated, "Missing or malformed Authorization header")
	}
	return s, nil
}

func anthropicCredential(r *http.Request) (token.Shown, error) { return apiKey(r, "X-Api-Key") }

func googleCredential(r *http.Request) (token.Shown, error) {
	if q := r.URL.Query(); q.Has("key") && r.Header.Get("X-Goog-Api-Key") == "" {
		return orBound(r, q.Get("key"))
	}
	return apiKey(r, "X-Goog-Api-Key")
}

// anyCredential takes the token wherever one of the dialects has it.
func anyCredential(r *http.Request) (token.Shown, error) {
	if v := r.Header.Get("X-Goog-Api-Key"); v != "" {
		return orBound(r, v)
	}
	return anthropicCredential(r)
}

func apiKey(r *http.Request, name string) (token.Shown, error) {
	if v := r.Header.Get(name); v != "" {
		return orBound(r, v)
	}
	return bearer(r)
}

// orBound is a key, unless a token comes with the scheme DPoP besides.
func orBound(r *http.Request, key string) (token.Shown, error) {
	if s, err := bearer(r); err == nil && s.DPoP {
		return s, nil
	}
	return token.Shown{Access: key}, nil
}
