package client

import (
	"errors"
	"maps"
	"slices"

	"github.com/devrelopers/aipassport/authority/oauth/wire"
	"github.com/devrelopers/aipassport/internal/fields"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// known are the members of client metadata that mean something here (RFC 7591 §2, RFC 9449 §5.2). Others are left alone (RFC 7591 §2),
// names that differ from these in case alone are refused.
var known = []string{"client_id", "client_secret", "client_secret_expires_at", "client_id_issued_at", "registration_access_token", "registration_client_uri",
	"client_name", "client_uri", "redirect_uris", "token_endpoint_auth_method", "grant_types", "response_types", "jwks", "jwks_uri", "dpop_bound_access_tokens"}

// metadata reads what a client says of itself into c, whose ID and Kind are set. method is what token_endpoint_auth_method is where it is
// left out. It does not look at redirect_uris being there. Errors are *wire.Error: invalid_redirect_uri and invalid_client_metadata.
func metadata(o *fields.Object, c passport.Client, method passport.ClientAuth) (passport.Client, error) {
	c.Auth = method
	c.Name, _ = o.OptString("client_name")
	c.URI, _ = o.OptString("client_uri")
	c.JWKSURI, _ = o.OptString("jwks_uri")
	c.DPoP, _ = o.OptBool("dpop_bound_access_tokens")
	if text, ok := o.OptString("token_endpoint_auth_method"); ok {
		c.Auth = passport.ClientAuth(text)
	}
	if o.Has("redirect_uris") {
		c.RedirectURIs = o.Strings("redirect_uris")
	}
	if o.Has("response_types") {
		if types := o.Strings("response_types"); slices.ContainsFunc(types, func(t string) bool { return t != "code" }) {
			o.Fail("response_types", "Only 'code' is there")
		}
	}
	if o.Has("jwks") {
		c.JWKS = string(o.Raw("jwks"))
	}
	if err := o.Err(); err != nil {
		return passport.Client{}, badMetadata(err)
	}
	if c.JWKS != "" {
		if _, err := readKeys([]byte(c.JWKS)); err != nil {
			return passport.Client{}, badMetadata(problem.From(err).In("jwks"))
		}
	}
	return c, nil
}

// wantsRedirects says whether a client needs redirect URIs: all do that use the authorization code, which is what grant_types means where
// it is left out (RFC 7591 §2).
func wantsRedirects(o *fields.Object) bool {
	return !o.Has("grant_types") || slices.Contains(o.Strings("grant_types"), "authorization_code")
}

// checked runs the client's own rules, in the codes of RFC 7591 §3.2.2.
func checked(c passport.Client, redirects bool) error {
	if redirects && len(c.RedirectURIs) == 0 {
		return wire.Bad(wire.InvalidRedirect, "redirect_uris: at least one is needed")
	}
	return badMetadata(c.Check())
}

// badMetadata shapes what is wrong with metadata; nil stays nil.
func badMetadata(err error) error {
	if err == nil {
		return nil
	}
	if fe, ok := errors.AsType[*fields.Error](err); ok {
		for _, name := range slices.Sorted(maps.Keys(fe.Fields)) {
			return wire.Bad(codeOf(name), "%s: %s", name, fe.Fields[name][0])
		}
		if len(fe.Form) > 0 {
			return wire.Bad(wire.InvalidMetadata, "%s", fe.Form[0])
		}
	}
	p := problem.From(err)
	if p.Kind != problem.Invalid {
		return err
	}
	if p.Field == "" {
		return wire.Bad(wire.InvalidMetadata, "%s", p.Detail)
	}
	return wire.Bad(codeOf(p.Field), "%s: %s", p.Field, p.Detail)
}

func codeOf(field string) wire.Code {
	if field == "redirect_uris" {
		return wire.InvalidRedirect
	}
	return wire.InvalidMetadata
}
