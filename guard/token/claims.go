package token

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// maxDetailsClaim bounds authorization_details in a token, in bytes, so that a token stays below MaxToken. A grant with more
// (hundreds of named models) has them in introspection only.
const maxDetailsClaim = 4 << 10

// claims are those of RFC 9068 §2.2, and ours: gid names the grant, grantId does so for the seed's apps.
type claims struct {
	Issuer   string `json:"iss"`
	Audience string `json:"aud"`
	Subject  string `json:"sub"`
	Client   string `json:"client_id"`
	IssuedAt int64  `json:"iat"` // seconds since 1970 UTC
	Expires  int64  `json:"exp"` // seconds since 1970 UTC
	ID       string `json:"jti"`
	Grant    string `json:"gid"`
	GrantID  string `json:"grantId"`

	Confirm *confirm `json:"cnf,omitempty"`
}

// confirm names the key that a token is bound to (RFC 9449 §6.1).
type confirm struct {
	JKT string `json:"jkt"` // RFC 7638 thumbprint
}

// granted are the claims with what was granted. Who verifies a token does not read that back: the store knows better.
type granted struct {
	claims
	Actor   json.RawMessage `json:"act,omitempty"`                   // RFC 8693 §4.1
	Details []detail        `json:"authorization_details,omitempty"` // RFC 9396 §9.1
}

// detail is an authorization detail with its type (RFC 9396 §2).
type detail struct {
	Type string `json:"type"`
	passport.Detail
}

// Issue signs a token for a grant that is live now, records its id (never the token) with the event, and only then returns it.
// It ends with the grant at the latest, and is bound to the grant's key if it has one. Errors: GrantEnded, GrantPaused, NotFound.
func (s *Service) Issue(ctx context.Context, g passport.Grant, actor string) (access string, t passport.Token, err error) {
	now := s.cfg.Now()
	if err := g.Live(now); err != nil {
		return "", passport.Token{}, err
	}
	end := now.Add(s.cfg.TTL)
	if g.ExpiresAt.Before(end) {
		end = g.ExpiresAt
	}
	t = passport.Token{
		ID: passport.TokenID(s.cfg.NewID()), Grant: g.ID,
		IssuedAt: time.Unix(now.Unix(), 0).UTC(), ExpiresAt: time.Unix(end.Unix(), 0).UTC(), // exp is in whole seconds
	}
	if !now.Before(t.ExpiresAt) {
		return "", passport.Token{}, problem.New(problem.GrantEnded, "the grant ends within a second")
	}
	access, err = s.sign(g, t)
	if err != nil {
		return "", passport.Token{}, fmt.Errorf("sign a token: %w", err)
	}
	// First recorded, then shown: a crash after this line leaves a token that nobody has.
	ev := passport.Event{
		ID: passport.EventID(s.cfg.NewID()), Kind: passport.TokenIssued, At: now, Actor: actor, Grant: g.ID,
		Note: fmt.Sprintf("token %s until %s", t.ID, t.ExpiresAt.Format(time.RFC3339)),
	}
	if err := s.cfg.Store.AddToken(ctx, t, ev); err != nil {
		return "", passport.Token{}, fmt.Errorf("record a token: %w", err)
	}
	return access, t, nil
}

// sign makes the compact JWS (RFC 7515 §7.1) of a token.
func (s *Service) sign(g passport.Grant, t passport.Token) (string, error) {
	r := s.ring.Load()
	c := granted{Actor: json.RawMessage(g.Actor), claims: claims{
		Issuer: s.cfg.Issuer, Audience: s.cfg.Audience, Subject: string(g.Owner), Client: cmp.Or(string(g.Client), string(g.ID)),
		IssuedAt: t.IssuedAt.Unix(), Expires: t.ExpiresAt.Unix(), ID: string(t.ID), Grant: string(g.ID), GrantID: string(g.ID),
	}}
	if g.JKT != "" {
		c.Confirm = &confirm{g.JKT}
	}
	if r.alg == jose.HS256 {
		c.Subject = string(g.ID)
	}
	for _, d := range g.Details {
		c.Details = append(c.Details, detail{passport.DetailType, d})
	}
	if b, err := json.Marshal(c.Details); err != nil {
		return "", err
	} else if len(b) > maxDetailsClaim {
		c.Details = nil
	}
	payload, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	jws, err := r.signer.Sign(payload)
	if err != nil {
		return "", err
	}
	access, err := jws.CompactSerialize()
	if err == nil && len(access) > MaxToken {
		err = fmt.Errorf("the token has %d bytes", len(access))
	}
	return access, err
}
