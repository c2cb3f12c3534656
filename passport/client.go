package passport

import "time"

// ClientKind is how a client came to be known.
type ClientKind string

// The ways of being known.
const (
	ClientDocument   ClientKind = "document"   // its id is the https address of its metadata document
	ClientRegistered ClientKind = "registered" // it registered itself (RFC 7591)
	ClientOwned      ClientKind = "owned"      // the owner registered it
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
