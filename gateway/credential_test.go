package gateway_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/devrelopers/aipassport/guard/token"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// picky refuses everybody, and keeps what it was shown.
type picky struct {
	tokens
	seen *token.Shown
	err  error
}

func (picky) Nonce() (string, error) { return "nonce-7", nil }

func (p picky) Admit(_ context.Context, by token.Shown) (token.Passport, passport.Standing, error) {
	*p.seen = by
	return token.Passport{}, passport.Standing{}, p.err
}

// TestWhereATokenIs: each way in finds the token where its dialect has it, and a bound one in Authorization, with all that its proof is about.
func TestWhereATokenIs(t *testing.T) {
	d := open(t, false)
	var seen token.Shown
	no := problem.New(problem.Unauthenticated, "no")
	d.gw.Tokens = picky{tokens{d: d}, &seen, no}
	const chat, messages, model, proxy = "POST /v1/chat/completions", "POST /anthropic/v1/messages", "POST /google/v1beta/models/m%2F1:generateContent", "POST /proxy/chat"
	for _, c := range []struct {
		call    string
		headers []string
		access  string
		proofs  int // -1: a bearer
	}{
		{chat, []string{"Authorization: Bearer t"}, "t", -1},
		{chat, []string{"Authorization: bearer t", "DPoP: p"}, "t", -1},
		{chat, []string{"Authorization: DPoP t", "DPoP: p"}, "t", 1},
		{chat, []string{"Authorization: dpop t", "DPoP: p", "DPoP: q"}, "t", 2},
		{chat, []string{"Authorization: DPoP t"}, "t", 0},
		{chat, []string{"Authorization: Basic t"}, "", -1},
		{chat, []string{"Authorization: DPoP "}, "", -1},
		{chat, []string{"Authorization: DPoP t", "Authorization: Bearer t"}, "", -1},
		{chat, []string{"X-Api-Key: k"}, "", -1},
		{messages, []string{"X-Api-Key: k"}, "k", -1},
		{messages, []string{"X-Api-Key: k", "Authorization: Bearer t"}, "k", -1},
		{messages, []string{"X-Api-Key: k", "Authorization: DPoP t", "DPoP: p"}, "t", 1},
		{model, []string{"X-Goog-Api-Key: k"}, "k", -1},
		{model, []string{"X-Goog-Api-Key: k", "Authorization: DPoP t", "DPoP: p"}, "t", 1},
		{model + "?key=k", nil, "k", -1},
		{model + "?key=k", []string{"Authorization: DPoP t", "DPoP: p"}, "t", 1},
		{"GET /v1/grant", []string{"Authorization: DPoP t", "DPoP: p"}, "t", 1},
		{"GET /v1/models", []string{"Authorization: DPoP t", "DPoP: p"}, "t", 1},
		{proxy, []string{"Authorization: DPoP t", "DPoP: p"}, "t", 1},
	} {
		method, target, _ := strings.Cut(c.call, " ")
		req, err := http.NewRequest(method, d.srv.URL+target, strings.NewReader(`{"model":"m","messages":[{"role":"user","content":"x"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		for _, h := range c.headers {
			name, v, _ := strings.Cut(h, ": ")
			req.Header.Add(name, v)
		}
		seen = token.Shown{}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		path, _, _ := strings.Cut(target, "?")
		if res.StatusCode != 401 || seen.Access != c.access || seen.DPoP != (c.proofs >= 0) {
			t.Errorf("%s %q: got %d %+v", c.call, c.headers, res.StatusCode, seen)
		}
		if seen.DPoP && (len(seen.Proofs) != c.proofs || seen.Method != method || seen.Path != path) {
			t.Errorf("%s %q: the proof is to be about %+v", c.call, c.headers, seen.Asked)
		}
		if got := res.Header.Get("DPoP-Nonce"); (got == "nonce-7") != seen.DPoP {
			t.Errorf("%s %q: DPoP-Nonce %q", c.call, c.headers, got)
		}
	}
}

// TestChallengesOfProofs: what a refusal says in WWW-Authenticate (RFC 9449 §7.1, §9).
func TestChallengesOfProofs(t *testing.T) {
	d := open(t, false)
	for _, c := range []struct {
		field, scheme, want string
	}{
		{token.ProofField, "DPoP", `DPoP realm="aipassport", algs="ES256 ES384 PS256 RS256", error="invalid_dpop_proof"`},
		{token.NonceField, "DPoP", `DPoP realm="aipassport", algs="ES256 ES384 PS256 RS256", error="use_dpop_nonce"`},
		{token.SchemeField, "Bearer", `DPoP realm="aipassport", algs="ES256 ES384 PS256 RS256", error="invalid_token"`},
		{"", "DPoP", `DPoP realm="aipassport", algs="ES256 ES384 PS256 RS256", error="invalid_token"`},
		{"", "Bearer", `Bearer realm="aipassport", error="invalid_token"`},
	} {
		d.gw.Tokens = picky{tokens{d: d}, &token.Shown{}, problem.New(problem.Unauthenticated, "no").In(c.field)}
		for _, path := range []string{"/v1/chat/completions", "/proxy/chat"} {
			req, err := http.NewRequest("POST", d.srv.URL+path, strings.NewReader(`{"model":"m","messages":[{"role":"user","content":"x"}]}`))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("Authorization", c.scheme+" t")
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if got := res.Header.Get("WWW-Authenticate"); res.StatusCode != 401 || !strings.HasPrefix(got, c.want) {
				t.Errorf("%s %s %q: got %d %q", path, c.scheme, c.field, res.StatusCode, got)
			}
		}
	}
}
