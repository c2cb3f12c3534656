// Package passport holds the nouns of the broker and their rules: grants and what they permit, money, usage, calls,
// events. Every function is pure: no clock, no randomness, no I/O, no HTTP, no SQL. Time and ids come in as arguments.
package passport

import (
	"cmp"
	"encoding/hex"
	"strconv"
	"strings"
	"time"
)

// Identifiers. All are opaque text, UUIDv7 where we make them.
type (
	GrantID       string
	RequestID     string // of a grant request; not of an HTTP request
	TokenID       string // the jti of an access token (RFC 7519 §4.1.7)
	ReservationID string
	BudgetID      string
	EventID       string
	CredentialID  string
	PersonID      string
	ClientID      string // RFC 6749 §2.2; of a metadata document its https URL
)

// Provider is an upstream AI company.
type Provider string

// The providers with a native dialect.
const (
	OpenAI    Provider = "openai"
	Anthropic Provider = "anthropic"
	Google    Provider = "google"
)

// Sandbox is the built-in provider of `aipassport demo`: no AI, no key, no bill. It speaks OpenAI's dialect. A broker that
// serves does not offer it.
const Sandbox Provider = "sandbox"

// Providers lists the providers that are built in, in the order in which errors spell them. An owner can add others (Compatible).
var Providers = []Provider{OpenAI, Anthropic, Google}

// Title is the provider's name as people write it; of one that was added, its name in the API.
func (p Provider) Title() string {
	switch p {
	case OpenAI:
		return "OpenAI"
	case Anthropic:
		return "Anthropic"
	case Google:
		return "Google"
	case Sandbox:
		return "Sandbox (built in, no AI)"
	default:
		return string(p)
	}
}

// Capability is a kind of thing that a call may do.
type Capability string

// The capabilities that a grant may name.
const (
	Chat       Capability = "chat"
	Embeddings Capability = "embeddings"
	Images     Capability = "images"
	Audio      Capability = "audio"
	Code       Capability = "code"   // programs run at the provider
	Search     Capability = "search" // the provider searches the web on its own
)

// Capabilities lists them in the order in which errors spell them.
var Capabilities = []Capability{Chat, Embeddings, Images, Audio, Code, Search}

// Session is a signed-in browser. Only the SHA-256 of its cookie is kept.
type Session struct {
	Hash      [32]byte
	Person    PersonID
	CreatedAt time.Time // also when the person proved who they are (auth_time)
	ExpiresAt time.Time
	Agent     string    // what the browser calls itself, at most MaxAgent bytes
	Address   string    // from where it signed in
	SeenAt    time.Time // to the minute
}

// MaxAgent bounds what is kept of what a browser calls itself, in bytes.
const MaxAgent = 200

// ID names a session: its hash in hexadecimal. It opens nothing.
func (s Session) ID() string { return hex.EncodeToString(s.Hash[:]) }

// OwnerToken is a bearer of a person for automation. Only its SHA-256 is kept.
type OwnerToken struct {
	Hash      [32]byte
	Person    PersonID // whom it stands for; empty: the owner
	Label     string
	CreatedAt time.Time
	ExpiresAt time.Time // zero: does not end
}

// ID names an owner's bearer: the hash in hexadecimal. Who has the bearer can say it, and it gives nothing.
func (t OwnerToken) ID() string { return hex.EncodeToString(t.Hash[:]) }

// Token is what is kept of an access token that was issued: never the token itself.
type Token struct {
	ID        TokenID
	Grant     GrantID
	IssuedAt  time.Time
	ExpiresAt time.Time
	RevokedAt time.Time // zero: not revoked
}

// MaxSDKKeys bounds the SDK keys of one grant that work at one time; MaxSDKKeyName what one is called, in bytes.
const (
	MaxSDKKeys    = 20
	MaxSDKKeyName = 100
)

// SDKKey is what is kept of a key for the providers' SDKs, besides its SHA-256: never the key itself. It stands for a token of its
// grant, whose id it has.
type SDKKey struct {
	ID        TokenID
	Grant     GrantID
	Name      string // of the owner's choice, or the app's
	Start     string // how the key begins, to tell it from others
	CreatedAt time.Time
	ExpiresAt time.Time // with its grant at the latest
	RevokedAt time.Time // zero: not revoked
	UsedAt    time.Time // to the minute, and a minute behind; zero: never
}

// Works says whether a key can be used at a time, as far as it is up to the key.
func (k SDKKey) Works(now time.Time) bool { return k.RevokedAt.IsZero() && now.Before(k.ExpiresAt) }

// Credential is a provider key that a person put in, sealed. Nobody but guard/vault can open Sealed.
type Credential struct {
	ID        CredentialID
	Payer     Payer // whose it is
	Provider  Provider
	Label     string
	Sealed    []byte
	CreatedAt time.Time
	TestedAt  time.Time // zero: never tested
	TestError string    // empty: the last test was good
	Version   int64     // counts its changes, from 1
	ChosenAt  time.Time // of a provider's keys the one chosen last is lent
	RotatedAt time.Time // when its secret was replaced; zero: never
	RefusedAt time.Time // since when its provider refuses it; zero: it does not
}

// How the TestError of a key begins that its provider does not take, and that of one whose provider could not be asked.
const (
	KeyRefused    = "refused"
	KeyNotReached = "not reached"
)

// Refused says whether the last test of a key was refused by its provider.
func (c Credential) Refused() bool { return strings.HasPrefix(c.TestError, KeyRefused) }

// Answered is among the causes of an error by what a provider answered: its status.
type Answered int

func (a Answered) Error() string { return "status " + strconv.Itoa(int(a)) }

// Before says whether d is lent rather than c, both of one provider: it was chosen later, or made later where none was.
func (c Credential) Before(d Credential) bool {
	return cmp.Or(c.ChosenAt.Compare(d.ChosenAt), c.CreatedAt.Compare(d.CreatedAt), cmp.Compare(c.ID, d.ID)) < 0
}

// SigningKey is one key of guard/token, sealed at rest.
type SigningKey struct {
	ID        string   // kid: RFC 7638 thumbprint
	State     KeyState //
	Sealed    []byte
	Public    []byte // JWK (RFC 7517), public half
	CreatedAt time.Time
}

// KeyState is where a signing key stands in its rotation.
type KeyState string

// A key is published before it signs (next), signs (current), then only verifies (retired) until its last token has expired.
const (
	KeyNext    KeyState = "next"
	KeyCurrent KeyState = "current"
	KeyRetired KeyState = "retired"
)

// Liveness is what decides at every call whether a token still works.
type Liveness struct {
	Token    Token
	Standing Standing
	Stopped  bool // the owner has stopped all apps, or their person all of theirs
}
