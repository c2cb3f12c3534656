package oauth

import (
	"net/http"

	"github.com/devrelopers/aipassport/authority/oauth/wire"
)

// maxGrantType bounds grant_type, in bytes: the longest that is known has 51.
const maxGrantType = 100

// Token answers POST /oauth/token (RFC 6749 §3.2). The order is: form, grant type, client, proof of a key, and only then what was granted.
func (o *OAuth) Token(w http.ResponseWriter, r *http.Request) {
	a, err := o.token(w, r)
	if err != nil {
		wire.Fail(w, r, err)
		return
	}
	wire.JSON(w, http.StatusOK, a)
}

func (o *OAuth) token(w http.ResponseWriter, r *http.Request) (wire.Answer, error) {
	f, err := wire.ReadForm(w, r)
	if err != nil {
		return wire.Answer{}, err
	}
	name, err := f.Need("grant_type", maxGrantType)
	if err != nil {
		return wire.Answer{}, err
	}
	handle, known := o.types[name]
	if !known {
		return wire.Answer{}, wire.Bad(wire.UnsupportedGrantType, "grant_type: this server does not have it")
	}
	c, err := o.cfg.Clients.Authenticate(r, f)
	if err != nil {
		return wire.Answer{}, err
	}
	jkt, err := o.prove(r)
	if err != nil {
		return wire.Answer{}, err
	}
	if c.DPoP && jkt == "" {
		return wire.Answer{}, wire.Bad(wire.InvalidDPoP, "this client takes no bearer tokens: the request needs a DPoP proof")
	}
	return handle(r.Context(), wire.Call{Request: r, Client: c, Form: f, JKT: jkt})
}

// prove checks the proof of a key that a request has. One that nobody can check is refused, never left alone.
func (o *OAuth) prove(r *http.Request) (string, error) {
	if len(r.Header.Values("DPoP")) == 0 {
		return "", nil
	}
	if o.cfg.Proofs == nil {
		return "", wire.Bad(wire.InvalidDPoP, "this server takes no DPoP proofs")
	}
	return o.cfg.Proofs.Prove(r)
}
