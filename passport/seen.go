package passport

// SeenKind is a kind of thing that works once, by its own word, and is remembered until it would not work any more. Only its SHA-256 is kept.
type SeenKind string

// The kinds. A hash of one is never that of another.
const (
	SeenProof     SeenKind = "dpop"      // the jti of a DPoP proof (RFC 9449 §11.1)
	SeenChallenge SeenKind = "challenge" // that a passkey answers (WebAuthn Level 3 §13.4.3)
	SeenAssertion SeenKind = "assertion" // the jti of a client's assertion (RFC 7523 §3)
)
