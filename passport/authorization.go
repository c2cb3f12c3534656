package passport

import "time"

// Bounds of what is kept between a request and its tokens.
const (
	MaxPushed  = 10_000 // pushed requests that wait to be opened
	MaxRefresh = 1000   // refresh tokens of one grant that were used and are remembered, to know when one comes again
)

// Lifetimes of what is given out once.
const (
	RefreshGrace     = 10 * time.Second // within which a used refresh token gets the successor that it got before
	AuthorizedMemory = 24 * time.Hour   // after its end, an authorization is remembered this long, to know when its code comes again
)

// Pushed is an authorization request that a client pushed (RFC 9126) and nobody has opened yet. It is taken once.
type Pushed struct {
	Hash       [32]byte // SHA-256 of its request_uri
	Client     ClientID
	Parameters string // form-urlencoded, checked
	JKT        string // thumbprint of the key that its client proved (RFC 9449 §10.1); empty: none
	CreatedAt  time.Time
	ExpiresAt  time.Time
}

// Authorization is how a grant that an app asked for at the authorization endpoint is answered: in which browser, to where, and for which
// code (RFC 6749 §4.1). The grant itself is decided on as any other.
type Authorization struct {
	Grant        GrantID
	Client       ClientID
	RedirectURI  string
	RedirectSent bool     // redirect_uri was in the request, and so must be in the token request (RFC 6749 §4.1.3)
	State        string   // goes back as it came
	Challenge    string   // PKCE code_challenge, S256 (RFC 7636)
	JKT          string   // dpop_jkt (RFC 9449 §10): only who proves this key gets the tokens; empty: none
	Browser      [32]byte // SHA-256 of the cookie of the browser that opened it
	CreatedAt    time.Time
	ExpiresAt    time.Time // until when it is answered
	Code         [32]byte  // SHA-256 of the code that it got last; zero: none yet
	CodeUntil    time.Time
	RedeemedAt   time.Time // when its code was used; zero: never
	GivenAt      time.Time // when the first refresh token for it was given; zero: never
}

// Refresh is a refresh token of a grant's family, by its hash. The family lives as long as the grant.
type Refresh struct {
	Hash     [32]byte
	Grant    GrantID
	Seq      int64 // 1 for the first of a family
	IssuedAt time.Time
	UsedAt   time.Time // zero: never
}
