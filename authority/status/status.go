package status

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/devrelopers/aipassport/authority/oauth/wire"
	"github.com/devrelopers/aipassport/guard/token"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// Clients knows the apps; authority/client does.
type Clients interface {
	// Authenticate says which client sends a request: by the method it is registered with, or by client_id alone if it is a public one.
	// Error: invalid_client.
	Authenticate(r *http.Request, f wire.Form) (passport.Client, error)
}

// Tokens knows access tokens and SDK keys; guard/token does.
type Tokens interface {
	Admit(ctx context.Context, by token.Shown) (token.Passport, passport.Standing, error)
	Look(ctx context.Context, access string) (token.Passport, passport.Standing, error)
	Find(ctx context.Context, access string) (token.Passport, error)
	SignIntrospection(audience string, told any) (string, error)
}

// Refresh knows refresh tokens, by their SHA-256; the store does. Error: NotFound.
type Refresh interface {
	Refresh(ctx context.Context, hash [32]byte) (passport.Refresh, error)
}

// Control ends tokens and grants; authority does.
type Control interface {
	Standing(ctx context.Context, id passport.GrantID) (passport.Standing, error)
	Revoke(ctx context.Context, id passport.GrantID, actor string) (passport.Grant, int, error)
	RevokeToken(ctx context.Context, g passport.GrantID, id passport.TokenID, actor string) (int, error)
}

// Owner says who sends a request, by bearer; Unauthenticated if it is nobody.
type Owner interface {
	Who(r *http.Request) (passport.Person, error)
}

// Config is what the endpoints need. All are required.
type Config struct {
	Clients Clients
	Tokens  Tokens
	Refresh Refresh
	Control Control
	Owner   Owner
	Now     func() time.Time
	Issuer  string
}

// Status serves introspection and revocation. Use New.
type Status struct{ cfg Config }

// New checks that nothing is missing.
func New(cfg Config) (*Status, error) {
	if cfg.Clients == nil || cfg.Tokens == nil || cfg.Refresh == nil || cfg.Control == nil || cfg.Owner == nil || cfg.Now == nil || cfg.Issuer == "" {
		return nil, errors.New("status needs clients, tokens, refresh tokens, a control, an owner, a clock and an issuer")
	}
	return &Status{cfg}, nil
}

// Routes are the endpoints, by pattern. Clients call them, browser apps among them.
func (s *Status) Routes() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{introspectRoute: s.Introspect, revokeRoute: s.Revoke}
}

// asker is who asks about a token, or wants it ended: one of the three.
type asker struct {
	owner  passport.Payer    // a person, who knows of what they gave
	person passport.PersonID // who that is
	client passport.ClientID
	grant  passport.GrantID // with a token of its own
	public bool             // a client that has not proved that it is the one
}

// owns says whether a grant's tokens are the asker's to know.
func (a asker) owns(g passport.Grant) bool {
	return a.owner != "" && g.Payer == a.owner || a.client != "" && a.client == g.Client || a.grant != "" && a.grant == g.ID
}

// name is the asker in an event and as an audience.
func (a asker) name() string {
	switch {
	case a.owner != "":
		return "owner:" + string(a.person)
	case a.client != "":
		return string(a.client)
	default:
		return "app:" + string(a.grant)
	}
}

func (a asker) actor() string {
	if a.client != "" {
		return "client:" + string(a.client)
	}
	return a.name()
}

// asks finds out who sends a request: the owner or an app by a bearer, else a client as at the token endpoint. An app's token counts for the
// grant that it is of, and for all of its client. Errors: invalid_token, invalid_client.
func (s *Status) asks(w http.ResponseWriter, r *http.Request, f wire.Form) (asker, error) {
	values := r.Header.Values("Authorization")
	scheme, text, _ := strings.Cut(strings.Join(values, ","), " ")
	dpop := strings.EqualFold(scheme, "DPoP")
	if len(values) != 1 || !dpop && !strings.EqualFold(scheme, "Bearer") {
		c, err := s.cfg.Clients.Authenticate(r, f)
		return asker{client: c.ID, public: c.Auth == passport.PublicClient}, err
	}
	_, standing, err := s.cfg.Tokens.Admit(r.Context(), token.Shown{Access: strings.TrimSpace(text), DPoP: dpop,
		Asked: token.Asked{Proofs: r.Header.Values("DPoP"), Method: r.Method, Path: r.URL.EscapedPath()}})
	if !dpop && problem.KindOf(err) == problem.Unauthenticated {
		if who, notOwner := s.cfg.Owner.Who(r); notOwner == nil {
			return asker{owner: who.Payer(), person: who.ID}, nil
		}
	}
	if problem.From(err) != nil && problem.From(err).Field == token.NonceField { // told with the nonce to use (RFC 9449 §9)
		return asker{}, err
	}
	switch problem.KindOf(err) {
	case problem.Unauthenticated, problem.GrantEnded, problem.GrantPaused:
		if err != nil {
			w.Header().Set("WWW-Authenticate", map[bool]string{false: "Bearer", true: "DPoP"}[dpop]+` realm="aipassport", error="invalid_token"`)
			return asker{}, wire.Bad(wire.InvalidToken, "the token that is shown does not work now").Because(err)
		}
	}
	return asker{client: standing.Grant.Client, grant: standing.Grant.ID}, err
}
