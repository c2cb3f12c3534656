package oauth

import (
	"net/http"

	"github.com/devrelopers/aipassport/authority/oauth/wire"
	"github.com/devrelopers/aipassport/passport"
)

// maxGrantType bounds grant_type, in bytes: the longest that is known has 51.
const maxGrantType = 100

// Authenticator says which client sends a request; authority/client does.
type Authenticator interface {
	// Authenticate is by the method that the client is registered with (RFC 6749 §2.3), or by client_id alone if it is a public one. Error:
	// invalid_client.
	Authenticate(r *http.Request, f wire.Form) (passport.Client, error)
}

// Proofs checks proofs of a key (RFC 9449); guard/token does.
type Proofs interface {
	// Prove returns the thumbprint of the key that a request proves, or "" if it has no DPoP header. Errors: what is wrong with the proof.
	Prove(r *http.Request) (jkt string, err error)
}

// Endpoint is the token endpoint without any grant type of its own.
type Endpoint struct {
	Clients Authenticator
	Proofs  Proofs                    // nil: a request with a DPoP header is refused
	Types   map[string]wire.GrantType // by grant_type
}

// Token answers POST /oauth/token (RFC 6749 §3.2). The order is: form, grant type, client, proof of a key, and only then what was granted.
func (e Endpoint) Token(w http.ResponseWriter, r *http.Request) {
	a, err := e.token(w, r)
	if err != nil {
		wire.Fail(w, r, err)
		return
	}
	wire.JSON(w, http.StatusOK, a)
}

func (e Endpoint) token(w http.ResponseWriter, r *http.Request) (wire.Answer, error) {
	f, err := wire.ReadForm(w, r)
	if err != nil {
		return wire.Answer{}, err
	}
	name, err := f.Need("grant_type", maxGrantType)
	if err != nil {
		return wire.Answer{}, err
	}
	handle, known := e.Types[name]
	if !known {
		return wire.Answer{}, wire.Bad(wire.UnsupportedGrantType, "grant_type: this server does not have it")
	}
	c, err := e.Clients.Authenticate(r, f)
	if err != nil {
		return wire.Answer{}, err
	}
	jkt, err := e.prove(r)
	if err != nil {
		return wire.Answer{}, err
	}
	if c.DPoP && jkt == "" {
		return wire.Answer{}, wire.Bad(wire.InvalidDPoP, "this client takes no bearer tokens: the request needs a DPoP proof")
	}
	return handle(r.Context(), wire.Call{Request: r, Client: c, Form: f, JKT: jkt})
}

// prove checks the proof of a key that a request has. One that nobody can check is refused, never left alone.
func (e Endpoint) prove(r *http.Request) (string, error) {
	if len(r.Header.Values("DPoP")) == 0 {
		return "", nil
	}
	if e.Proofs == nil {
		return "", wire.Bad(wire.InvalidDPoP, "this server takes no DPoP proofs")
	}
	return e.Proofs.Prove(r)
}
