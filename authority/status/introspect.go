package status

import (
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/devrelopers/aipassport/authority/oauth/wire"
	"github.com/devrelopers/aipassport/guard/token"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// signedType is what who wants a signed answer accepts (RFC 9701 §4).
const signedType = "application/token-introspection+jwt"

// refreshPrefix begins every refresh token.
const refreshPrefix = "aipr_"

const maxHint = 100 // bytes of token_type_hint

// told is what an introspection tells of a token (RFC 7662 §2.2). Of one that does not work, or is not the asker's to know, it is
// {"active":false} and not a byte more. The last three members are ours: the grant, and what is left of it in all.
type told struct {
	Active    bool              `json:"active"`
	Client    passport.ClientID `json:"client_id,omitempty"`
	Subject   passport.PersonID `json:"sub,omitempty"`
	Issuer    string            `json:"iss,omitempty"`
	Audience  string            `json:"aud,omitempty"`
	Expires   int64             `json:"exp,omitempty"` // seconds since 1970
	IssuedAt  int64             `json:"iat,omitempty"` // seconds since 1970
	ID        passport.TokenID  `json:"jti,omitempty"`
	TokenType string            `json:"token_type,omitempty"` // of a refresh token: none
	Confirm   *confirm          `json:"cnf,omitempty"`        // RFC 9449 §6.2
	Actor     json.RawMessage   `json:"act,omitempty"`        // RFC 8693 §4.1
	Details   []wire.Detail     `json:"authorization_details,omitempty"`
	Grant     passport.GrantID  `json:"grant_id,omitempty"`
	Left      *passport.Money   `json:"remainingMicroUsd,omitempty"`
	CallsLeft *int64            `json:"remainingCalls,omitempty"`
}

type confirm struct {
	JKT string `json:"jkt"`
}

// Introspect answers POST /oauth/introspect (RFC 7662): for a client that proves who it is about its own tokens, for an app with a token of its
// own, for the owner about all. A public client has nothing to prove itself by but a token.
func (s *Status) Introspect(w http.ResponseWriter, r *http.Request) {
	f, err := wire.ReadForm(w, r)
	if err != nil {
		wire.Fail(w, r, err)
		return
	}
	who, err := s.asks(w, r, f)
	if err == nil && who.public {
		err = wire.Bad(wire.InvalidClient, "a public client asks with an access token of its own, as a bearer")
	}
	if err != nil {
		wire.Fail(w, r, err)
		return
	}
	text, err := s.token(f)
	if err != nil {
		wire.Fail(w, r, err)
		return
	}
	t, err := s.look(r, who, text)
	if err != nil {
		wire.Fail(w, r, err)
		return
	}
	if !strings.Contains(strings.ToLower(r.Header.Get("Accept")), signedType) {
		wire.JSON(w, http.StatusOK, t)
		return
	}
	signed, err := s.cfg.Tokens.SignIntrospection(who.name(), t)
	if err != nil {
		wire.Fail(w, r, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", signedType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(signed)))
	w.Write([]byte(signed))
}

// token reads the token of a request. The hint is of no use to us: tokens tell by their looks what they are (RFC 7662 §2.1, RFC 7009 §2.1).
func (s *Status) token(f wire.Form) (string, error) {
	if _, err := f.Text("token_type_hint", maxHint); err != nil {
		return "", err
	}
	return f.Need("token", token.MaxToken)
}

// look says what the asker may know of a token. Errors: only what keeps us from knowing.
func (s *Status) look(r *http.Request, who asker, text string) (told, error) {
	t, g, err := s.find(r, text)
	switch problem.KindOf(err) {
	case problem.Unauthenticated, problem.GrantEnded, problem.GrantPaused, problem.NotFound:
		if err != nil {
			return told{}, nil
		}
	}
	if err != nil {
		return told{}, err
	}
	if !who.owns(g) {
		return told{}, nil
	}
	return t, nil
}

// find reads a token that works now.
func (s *Status) find(r *http.Request, text string) (told, passport.Grant, error) {
	if strings.HasPrefix(text, refreshPrefix) {
		return s.findRefresh(r, text)
	}
	p, standing, err := s.cfg.Tokens.Look(r.Context(), text)
	if err != nil {
		return told{}, passport.Grant{}, err
	}
	t := s.of(standing)
	t.Audience, t.ID, t.IssuedAt, t.Expires = s.cfg.Issuer, p.Token, p.IssuedAt.Unix(), p.ExpiresAt.Unix()
	if t.TokenType = wire.TokenType(p.Confirm); p.Confirm != "" {
		t.Confirm = &confirm{p.Confirm}
	}
	return t, standing.Grant, nil
}

func (s *Status) findRefresh(r *http.Request, text string) (told, passport.Grant, error) {
	f, err := s.cfg.Refresh.Refresh(r.Context(), sha256.Sum256([]byte(text)))
	if err != nil {
		return told{}, passport.Grant{}, err
	}
	standing, err := s.cfg.Control.Standing(r.Context(), f.Grant)
	if err == nil {
		err = standing.Grant.Live(s.cfg.Now())
	}
	if err == nil && !f.UsedAt.IsZero() {
		err = problem.New(problem.Unauthenticated, "the refresh token was used")
	}
	if err != nil {
		return told{}, passport.Grant{}, err
	}
	t := s.of(standing)
	t.IssuedAt, t.Expires = f.IssuedAt.Unix(), standing.Grant.ExpiresAt.Unix()
	if g := standing.Grant; g.JKT != "" {
		t.Confirm = &confirm{g.JKT}
	}
	return t, standing.Grant, nil
}

// of is what a grant tells of all its tokens.
func (s *Status) of(standing passport.Standing) told {
	g, left, calls := standing.Grant, standing.Total.Left(), standing.Total.CallsLeft()
	t := told{Active: true, Client: g.Client, Subject: g.Owner, Issuer: s.cfg.Issuer, Details: wire.Typed(g.Details), Grant: g.ID, Left: &left, CallsLeft: &calls}
	if g.Actor != "" {
		t.Actor = json.RawMessage(g.Actor)
	}
	if t.Client == "" { // as in the token of an app that is no OAuth client
		t.Client = passport.ClientID(g.ID)
	}
	return t
}
