// Package oauth is the authorization server's spine (OAuth 2.1): what an app asks for becomes a pending grant, a person answers it on the
// consent page, and the app gets tokens for it. It decides nothing about money or lifetimes: grants do. Clients, proofs of keys, tokens and
// people are others' to know. It may not touch providers, the gateway or SQL.
package oauth

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/devrelopers/aipassport/authority/oauth/wire"
	"github.com/devrelopers/aipassport/passport"
)

// Clients knows the apps; authority/client does.
type Clients interface {
	// Authenticate says which client sends a request: by the method it is registered with (RFC 6749 §2.3), or by client_id alone if it is a
	// public one. Error: invalid_client.
	Authenticate(r *http.Request, f wire.Form) (passport.Client, error)
}

// Proofs checks proofs of a key (RFC 9449); guard/token does.
type Proofs interface {
	// Prove returns the thumbprint of the key that a request proves, or "" if it has no DPoP header. Errors: what is wrong with the proof.
	Prove(r *http.Request) (jkt string, err error)
}

// Config is what the endpoints need. All but Proofs and GrantTypes are required.
type Config struct {
	Clients Clients
	Proofs  Proofs // nil: a request with a DPoP header is refused
	Now     func() time.Time

	GrantTypes map[string]wire.GrantType // of other packages, by grant_type
}

// OAuth serves the endpoints. Use New.
type OAuth struct {
	cfg   Config
	types map[string]wire.GrantType
}

// New checks that nothing is missing, and that no grant_type is had twice.
func New(cfg Config) (*OAuth, error) {
	if cfg.Clients == nil || cfg.Now == nil {
		return nil, errors.New("oauth needs clients and a clock")
	}
	o := &OAuth{cfg: cfg, types: map[string]wire.GrantType{}}
	maps.Copy(o.types, o.own())
	for name, h := range cfg.GrantTypes {
		if o.types[name] != nil {
			return nil, errors.New("grant_type " + name + " has two handlers")
		}
		o.types[name] = h
	}
	return o, nil
}

// own are the grant types that this package has itself.
func (o *OAuth) own() map[string]wire.GrantType { return map[string]wire.GrantType{} }

// GrantTypes are the names of all grant types, in alphabetical order, for the metadata (RFC 8414 §2).
func (o *OAuth) GrantTypes() []string { return slices.Sorted(maps.Keys(o.types)) }

// Routes are the endpoints that clients call, from any origin. The pages are in Pages.
func (o *OAuth) Routes() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{"POST /oauth/token": o.Token}
}
