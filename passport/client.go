package passport

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/devrelopers/aipassport/internal/problem"
)

// ClientKind is how a client came to be known.
type ClientKind string

// The ways of being known.
const (
	ClientDocument   ClientKind = "document"   // its id is the https address of its metadata document
	ClientRegistered ClientKind = "registered" // it registered itself (RFC 7591)
	ClientOwned      ClientKind = "owned"      // the owner registered it
	ClientBuiltIn    ClientKind = "built-in"   // CommandLine; it is never stored
)

// ClientAuth is how a client proves who it is at the token endpoint (token_endpoint_auth_method, RFC 7591 §2).
type ClientAuth string

// The methods. There is no client_secret_post: secrets stay out of bodies.
const (
	PublicClient     ClientAuth = "none" // a public client: PKCE alone
	ClientBasic      ClientAuth = "client_secret_basic"
	ClientPrivateKey ClientAuth = "private_key_jwt" // RFC 7523 §2.2
)

// Client is an app that asks for access (RFC 6749 §2).
type Client struct {
	ID           ClientID
	Kind         ClientKind
	Name         string   // client_name: a claim, shown small
	URI          string   // client_uri: a claim
	RedirectURIs []string // compared exactly; of a loopback IP the port is free (RFC 8252 §7.3)
	Auth         ClientAuth
	SecretHash   [32]byte // SHA-256 of the client secret; zero: it has none
	JWKS         string   // its public keys (RFC 7517), JSON; empty: it has none
	JWKSURI      string   // where they are; empty: in JWKS
	DPoP         bool     // dpop_bound_access_tokens (RFC 9449 §5.2): it takes no bearer tokens
	ManageHash   [32]byte // SHA-256 of its registration access token (RFC 7592 §3); zero: none
	CreatedAt    time.Time
	UsedAt       time.Time // to the day; zero: never
}

// How many clients there can be.
const (
	MaxOwnedClients      = 50
	MaxRegisteredClients = 300
)

// Check says what keeps a client from being what it says, as Invalid with the member of RFC 7591 §2 that is at fault.
func (c Client) Check() error {
	bad := func(field, format string, args ...any) error {
		return problem.New(problem.Invalid, format, args...).In(field)
	}
	switch {
	case c.ID == "" || len(c.ID) > MaxClientID:
		return bad("client_id", "needs 1 to %d bytes", MaxClientID)
	case c.Kind != ClientDocument && c.Kind != ClientRegistered && c.Kind != ClientOwned:
		return bad("client_id", "is of no known kind")
	case !utf8.ValidString(c.Name) || utf8.RuneCountInString(c.Name) > MaxClientName:
		return bad("client_name", "has more than %d characters, or is no UTF-8", MaxClientName)
	case len(c.URI) > MaxClientURI:
		return bad("client_uri", "is longer than %d bytes", MaxClientURI)
	case len(c.RedirectURIs) > MaxRedirects:
		return bad("redirect_uris", "has more than %d entries", MaxRedirects)
	}
	for i, uri := range c.RedirectURIs {
		if err := CheckRedirect(uri); err != nil {
			return bad("redirect_uris", "entry %d: %s", i+1, problem.From(err).Detail)
		}
	}
	return c.checkAuth()
}

// checkAuth says whether a client has what its method needs, and nothing of another's.
func (c Client) checkAuth() error {
	bad := func(field, format string, args ...any) error {
		return problem.New(problem.Invalid, format, args...).In(field)
	}
	secret, keys := c.SecretHash != ([32]byte{}), c.JWKS != "" || c.JWKSURI != ""
	switch c.Auth {
	case PublicClient:
		if secret {
			return bad("token_endpoint_auth_method", "none has no secret")
		}
	case ClientBasic:
		if !secret || c.Kind == ClientDocument {
			return bad("token_endpoint_auth_method", "client_secret_basic needs a secret, which nobody can agree on with a document")
		}
	case ClientPrivateKey:
		if !keys || secret {
			return bad("token_endpoint_auth_method", "private_key_jwt needs jwks or jwks_uri, and no secret")
		}
	default:
		return bad("token_endpoint_auth_method", "must be none, client_secret_basic or private_key_jwt")
	}
	switch {
	case keys && c.Auth != ClientPrivateKey:
		return bad("jwks", "keys are for private_key_jwt alone")
	case c.JWKS != "" && c.JWKSURI != "":
		return bad("jwks", "must not stand beside jwks_uri")
	case len(c.JWKS) > MaxJWKS:
		return bad("jwks", "is longer than %d bytes", MaxJWKS)
	case c.JWKSURI != "" && (len(c.JWKSURI) > MaxClientURI || !strings.HasPrefix(c.JWKSURI, "https://")):
		return bad("jwks_uri", "must begin with https:// and have at most %d bytes", MaxClientURI)
	}
	return nil
}
