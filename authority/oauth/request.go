package oauth

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/devrelopers/aipassport/authority/oauth/wire"
	"github.com/devrelopers/aipassport/passport"
)

// Bounds of parameters, in bytes.
const (
	maxClientID = 1024 // the address of a metadata document
	maxState    = 1024
	maxResource = 512
	maxScope    = 200
	maxReason   = 1000
)

// target is where an authorization request's answer goes. Until it is known, nothing is sent anywhere.
type target struct {
	client   passport.Client
	redirect string
	sent     bool // redirect_uri was in the request
	state    string
}

// asked is what an authorization request asks for.
type asked struct {
	challenge string
	jkt       string
	details   []passport.Detail
	reason    string           // why, in the app's own words
	extends   passport.GrantID // the client's own grant that it wants more of; empty: a new one
}

// kept are the parameters of a pushed request that are stored. What nobody knows is left out.
var kept = []string{"response_type", "response_mode", "redirect_uri", "state", "scope", "code_challenge", "code_challenge_method", "dpop_jkt",
	grantParameter, wire.DetailsParameter, "resource", "prompt", "reason"}

// whereTo finds where the answer goes: to a redirect URI that the client registered, the only one it has if the request names none
// (RFC 6749 §3.1.2.3).
func whereTo(c passport.Client, f wire.Form) (target, error) {
	t := target{client: c, sent: f.Has("redirect_uri")}
	uri, err := f.Text("redirect_uri", passport.MaxRedirectURI)
	if err != nil {
		return target{}, err
	}
	if !t.sent && len(c.RedirectURIs) != 1 {
		return target{}, wire.Bad(wire.InvalidRequest, "redirect_uri: is missing, and the client has not exactly one")
	}
	if !t.sent {
		uri = c.RedirectURIs[0]
	}
	if !c.Redirects(uri) {
		return target{}, wire.Bad(wire.InvalidRequest, "redirect_uri: is not one that the client registered")
	}
	t.redirect = uri
	if t.state, err = f.Text("state", maxState); err != nil {
		return target{}, err
	}
	return t, nil
}

// check reads the rest of an authorization request (RFC 6749 §4.1.1) in OAuth 2.1's way: a code, and S256 for everyone. jkt is the key that
// was proved when the request was pushed.
func (o *OAuth) check(ctx context.Context, c passport.Client, f wire.Form, jkt string) (asked, error) {
	for _, step := range []func(wire.Form) error{responseType, challenge, prompt, scope, o.resource} {
		if err := step(f); err != nil {
			return asked{}, err
		}
	}
	a := asked{challenge: f.Get("code_challenge"), jkt: f.Get("dpop_jkt")}
	if a.jkt != "" && !isSHA256(a.jkt) {
		return asked{}, wire.Bad(wire.InvalidRequest, "dpop_jkt: is not a SHA-256 thumbprint in base64url")
	}
	if a.jkt != "" && jkt != "" && a.jkt != jkt {
		return asked{}, wire.Bad(wire.InvalidDPoP, "dpop_jkt: is not the thumbprint of the key that was proved")
	}
	if a.jkt == "" {
		a.jkt = jkt
	}
	if !f.Has(wire.DetailsParameter) {
		return asked{}, wire.Bad(wire.InvalidDetails, "%s: is missing: say what to ask for with ai_access objects", wire.DetailsParameter)
	}
	var err error
	if a.reason, err = f.Text("reason", maxReason); err != nil {
		return asked{}, err
	}
	if f.Has(grantParameter) {
		return o.more(ctx, c, f, a)
	}
	a.details, err = wire.Details(f.Get(wire.DetailsParameter), o.cfg.Providers())
	return a, err
}

func responseType(f wire.Form) error {
	switch kind := f.Get("response_type"); {
	case kind == "":
		return wire.Bad(wire.InvalidRequest, "response_type: is missing")
	case kind != "code":
		return wire.Bad(wire.UnsupportedResponseType, "response_type: only code")
	case f.Has("response_mode") && f.Get("response_mode") != "query":
		return wire.Bad(wire.InvalidRequest, "response_mode: only query")
	case f.Has("request"): // RFC 9101 §6.3
		return wire.Bad(wire.RequestNotSupported, "request: is not supported; push the request instead")
	case f.Has("request_uri"): // RFC 9126 §2.1: not in a pushed request
		return wire.Bad(wire.InvalidRequest, "request_uri: has no place in this request")
	}
	return nil
}

// challenge is PKCE's (RFC 7636 §4.3). A method that is left out would mean plain.
func challenge(f wire.Form) error {
	switch {
	case !f.Has("code_challenge"):
		return wire.Bad(wire.InvalidRequest, "code_challenge: is missing: PKCE is required of every client")
	case f.Get("code_challenge_method") != "S256":
		return wire.Bad(wire.InvalidRequest, "code_challenge_method: must be S256")
	case !isSHA256(f.Get("code_challenge")):
		return wire.Bad(wire.InvalidRequest, "code_challenge: is not a SHA-256 hash in base64url without padding")
	}
	return nil
}

// isSHA256 says whether a text is 32 bytes in base64url. Bits that encode nothing are left alone: the text is compared as it is.
func isSHA256(s string) bool {
	return len(s) == secretLength && !strings.ContainsFunc(s, func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_')
	})
}

// prompt may say what happens anyway: the person is asked. What we would not do is refused, not left alone (OpenID Connect Core §3.1.2.1).
func prompt(f wire.Form) error {
	switch f.Get("prompt") {
	case "", "consent":
		return nil
	case "none":
		return wire.Bad(wire.InteractionRequired, "prompt: a person always answers")
	default:
		return wire.Bad(wire.InvalidRequest, "prompt: only consent")
	}
}

// scope is coarse here: what is asked for stands in authorization_details.
func scope(f wire.Form) error {
	text, err := f.Text("scope", maxScope)
	if err != nil {
		return err
	}
	for s := range strings.FieldsSeq(text) {
		if s != passport.DetailType {
			return wire.Bad(wire.InvalidScope, "scope: only %s, or none: say what to ask for in %s", passport.DetailType, wire.DetailsParameter)
		}
	}
	return nil
}

// resource must be ours, each (RFC 8707 §2).
func (o *OAuth) resource(f wire.Form) error {
	for _, r := range f.All("resource") {
		path, ours := strings.CutPrefix(r, o.cfg.Issuer)
		if len(r) > maxResource || !ours || !slices.Contains(o.cfg.Resources, strings.TrimSuffix(path, "/")) {
			return wire.Bad(wire.InvalidTarget, "resource: is not one of this server's")
		}
	}
	return nil
}

// parameters are those of a request that are kept until it is opened.
func parameters(f wire.Form) string {
	v := url.Values{}
	for _, name := range kept {
		for _, text := range f.All(name) {
			v.Add(name, text)
		}
	}
	return v.Encode()
}
