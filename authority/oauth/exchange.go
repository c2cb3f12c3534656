package oauth

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/devrelopers/aipassport/authority/oauth/wire"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// ExchangeType is the grant_type of a token exchange (RFC 8693 §2.1).
const ExchangeType = "urn:ietf:params:oauth:grant-type:token-exchange"

// accessTokenType is the one type of token that we take and give (RFC 8693 §3).
const accessTokenType = "urn:ietf:params:oauth:token-type:access_token"

// maxToken bounds subject_token and actor_token, in bytes, as guard/token does.
const maxToken = 8 << 10

// Exchange gives a narrower grant for an access token (RFC 8693), to be handed to a helper: its calls count on the grant of that token and on
// all above it, and it ends with any of them. All fields are required.
type Exchange struct {
	Tokens    ExchangeTokens
	Grants    Children
	Public    string   // the broker's own URL: who the tokens are for (RFC 8707)
	Resources []string // paths below it that are resources, the empty one too
	Now       func() time.Time
	Flood     Flood // by the grant that a person gave, which is passed on
}

// ExchangeTokens knows access tokens; guard/token does.
type ExchangeTokens interface {
	// Subject says which live grant an access token is of, when the token ends, and the thumbprint of the key that it is bound to, if it is.
	// An SDK key is none. Errors: Unauthenticated, GrantEnded, GrantPaused.
	Subject(ctx context.Context, access string) (g passport.Grant, ends time.Time, jkt string, err error)
	// Issue makes an access token of a grant.
	Issue(ctx context.Context, g passport.Grant, actor string) (access string, t passport.Token, err error)
}

// Children narrows grants; authority.Control does.
type Children interface {
	Child(ctx context.Context, parent passport.GrantID, d passport.Delegation) (passport.Grant, error)
}

// Flood says how long to wait before one more is allowed; 0: not at all.
type Flood interface {
	Allow(key string) time.Duration
}

// Token is the wire.GrantType. Who may exchange is the client that the token was given to, and no other; a token of a grant that no OAuth
// client asked for may be exchanged by any client that has it. There is no refresh token, and the new grant ends with the subject_token
// at the latest: a token that got lost does not become longer by being exchanged. Whatever is wrong with a token is invalid_request
// (RFC 8693 §2.2.2).
func (e *Exchange) Token(ctx context.Context, c wire.Call) (wire.Answer, error) {
	// 1. What is asked for?
	d, err := e.asked(c.Form)
	if err != nil {
		return wire.Answer{}, err
	}
	// 2. Whose is it to pass on, and with which key?
	subject, err := e.token(ctx, c.Form, "subject")
	if err != nil {
		return wire.Answer{}, err
	}
	if subject.grant.Client != "" && subject.grant.Client != c.Client.ID {
		return wire.Answer{}, wire.Bad(wire.InvalidRequest, "subject_token: it was given to another client")
	}
	if subject.jkt != "" && subject.jkt != c.JKT {
		return wire.Answer{}, wire.Bad(wire.InvalidDPoP, "subject_token is bound to a key: the request needs a DPoP proof of that key")
	}
	// 3. For whom is it?
	e.to(&d, c, subject.grant)
	if c.Form.Has("actor_token") || c.Form.Has("actor_token_type") {
		actor, err := e.token(ctx, c.Form, "actor")
		if err != nil {
			return wire.Answer{}, err
		}
		toActor(&d, actor)
	}
	// 4. How often was it passed on lately, by itself and by all below it? Each time is a row, and those below do not each get as many.
	if wait := e.Flood.Allow(string(given(subject.grant))); wait > 0 {
		return wire.Answer{}, problem.New(problem.RateExceeded, "this grant is passed on too often").After(wait)
	}
	now := e.Now()
	if d.Lifetime = subject.ends.Sub(now); d.Lifetime < passport.MinLifetime {
		return wire.Answer{}, wire.Bad(wire.InvalidRequest, "subject_token: it ends within a second")
	}
	child, err := e.Grants.Child(ctx, subject.grant.ID, d)
	if err != nil {
		return wire.Answer{}, exchangeError(err)
	}
	access, t, err := e.Tokens.Issue(ctx, child, "app:"+string(child.ID))
	if err != nil {
		return wire.Answer{}, exchangeError(err)
	}
	return wire.Answer{AccessToken: access, IssuedType: accessTokenType, TokenType: wire.TokenType(child.JKT), ExpiresIn: wire.Seconds(now, t.ExpiresAt),
		Details: wire.Typed(child.Details), GrantID: child.ID}, nil
}

// given is the grant that a person gave, at the top of a grant's line.
func given(g passport.Grant) passport.GrantID {
	if line := g.Line(); len(line) > 0 {
		return line[len(line)-1]
	}
	return g.ID
}

// asked reads what the new grant is to be, without the tokens.
func (e *Exchange) asked(f wire.Form) (d passport.Delegation, err error) {
	if kind := f.Get("requested_token_type"); kind != "" && kind != accessTokenType {
		return d, wire.Bad(wire.InvalidRequest, "requested_token_type: only %s is given", accessTokenType)
	}
	if f.Has("scope") {
		return d, wire.Bad(wire.InvalidScope, "scope: there are no scopes here; authorization_details narrow what is passed on")
	}
	for _, name := range []string{"resource", "audience"} {
		for _, target := range f.All(name) {
			if !e.ours(target) {
				return d, wire.Bad(wire.InvalidTarget, "%s: tokens are for %s alone", name, e.Public)
			}
		}
	}
	if f.Has(wire.DetailsParameter) {
		d.Narrowed, err = wire.Narrowing(f.Get(wire.DetailsParameter))
	}
	return d, err
}

// ours says whether a target is this broker or a resource of it.
func (e *Exchange) ours(target string) bool {
	path, under := strings.CutPrefix(target, e.Public)
	return under && (path == "/" || slices.Contains(e.Resources, path))
}

// shown is a token that came as subject or actor.
type shown struct {
	grant passport.Grant
	ends  time.Time
	jkt   string
}

func (e *Exchange) token(ctx context.Context, f wire.Form, role string) (s shown, err error) {
	kind, err := f.Need(role+"_token_type", maxGrantType)
	if err != nil {
		return s, err
	}
	if kind != accessTokenType {
		return s, wire.Bad(wire.InvalidRequest, "%s_token_type: only %s is taken", role, accessTokenType)
	}
	access, err := f.Need(role+"_token", maxToken)
	if err != nil {
		return s, err
	}
	s.grant, s.ends, s.jkt, err = e.Tokens.Subject(ctx, access)
	switch problem.KindOf(err) {
	case problem.Unauthenticated, problem.GrantEnded, problem.Invalid:
		if err != nil {
			return s, wire.Bad(wire.InvalidRequest, "%s_token: it is not an access token that works here", role).Because(err)
		}
	}
	return s, err
}

// to says that the client itself is who acts.
func (e *Exchange) to(d *passport.Delegation, c wire.Call, parent passport.Grant) {
	d.Client, d.JKT = c.Client.ID, c.JKT
	d.AppName, d.AppURL = cmp.Or(c.Client.Name, parent.AppName), cmp.Or(c.Client.URI, parent.AppURL)
	if parent.Client == c.Client.ID {
		d.Site, d.Checked = parent.Site, parent.Checked
	}
	d.Subject = string(c.Client.ID)
}

// toActor says that another one acts, who has a grant of its own, and the key of that if it is bound to one.
func toActor(d *passport.Delegation, actor shown) {
	g := actor.grant
	d.Client, d.AppName, d.AppURL, d.Site, d.Checked = g.Client, g.AppName, g.AppURL, g.Site, g.Checked
	d.JKT = cmp.Or(actor.jkt, d.JKT)
	d.Subject = cmp.Or(string(g.Client), "grant:"+string(g.ID))
}

// exchangeError names what would widen as RFC 9396 §5 has it; what ended while it was exchanged is an invalid subject_token.
func exchangeError(err error) error {
	p := problem.From(err)
	switch p.Kind {
	case problem.Invalid:
		return wire.Bad(wire.InvalidDetails, "%s: %s", cmp.Or(p.Field, wire.DetailsParameter), p.Detail).Because(err)
	case problem.GrantEnded, problem.NotFound:
		return wire.Bad(wire.InvalidRequest, "subject_token: %s", p.Detail).Because(err)
	default:
		return err
	}
}
