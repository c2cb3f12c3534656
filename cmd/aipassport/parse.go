package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/devrelopers/aipassport/authority/oidc"
	"github.com/devrelopers/aipassport/internal/secret"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
)

// parseSecrets takes the owner's token and the tokens' secret, if they are long enough. Like parseCharges it names the setting in
// its error.
func (s settings) parseSecrets() (owner, jwt secret.Text, err error) {
	switch {
	case s.OwnerToken != "" && len(s.OwnerToken) < 16:
		err = errors.New("AIPASSPORT_OWNER_TOKEN: must have 16 characters or more")
	case s.JWTSecret != "" && len(s.JWTSecret) < 32:
		err = errors.New("JWT_SECRET: must have 32 bytes or more (or be left out: then the broker makes its own ES256 keys)")
	}
	return secret.New(s.OwnerToken), secret.New(s.JWTSecret), err
}

// parseSignIn takes what sign-in is asked to do.
func (s settings) parseSignIn(c *config) (err error) {
	if c.freshAbove, err = dollars(s.FreshAbove); err != nil {
		return fmt.Errorf("AIPASSPORT_FRESH_ABOVE: %w", err)
	}
	return s.parseOIDC(c)
}

// maxSecretFile bounds the file of the secret that an OpenID provider gave, in bytes.
const maxSecretFile = 4 << 10

// parseOIDC takes the OpenID provider, which is there whole or not at all.
func (s settings) parseOIDC(c *config) error {
	switch s.OIDCJoin {
	case "off":
	case "on":
		if c.oidcJoin = true; s.OIDCAllowed == "" {
			return errors.New("AIPASSPORT_OIDC_JOIN: on takes AIPASSPORT_OIDC_ALLOWED, a list of who may come")
		}
	default:
		return errors.New("AIPASSPORT_OIDC_JOIN: must be on or off")
	}
	if s.OIDCIssuer == "" && s.OIDCClient == "" && s.OIDCSecret == "" && s.OIDCAllowed == "" {
		return nil
	}
	if s.OIDCIssuer == "" || s.OIDCClient == "" {
		return errors.New("AIPASSPORT_OIDC_ISSUER: it and AIPASSPORT_OIDC_CLIENT_ID go together")
	}
	c.oidcIssuer, c.oidcClient = s.OIDCIssuer, s.OIDCClient
	if _, err := oidc.New(oidc.Config{Issuer: c.oidcIssuer, ClientID: c.oidcClient, RedirectURL: "-", Now: now}); err != nil {
		return fmt.Errorf("AIPASSPORT_OIDC_ISSUER: %w", err)
	}
	if s.OIDCSecret != "" {
		text, err := os.ReadFile(s.OIDCSecret)
		if err != nil {
			return fmt.Errorf("AIPASSPORT_OIDC_CLIENT_SECRET_FILE: %w", err)
		}
		text = bytes.TrimSpace(text)
		if len(text) == 0 || len(text) > maxSecretFile {
			return fmt.Errorf("AIPASSPORT_OIDC_CLIENT_SECRET_FILE: needs 1 to %d bytes", maxSecretFile)
		}
		c.oidcSecret = secret.FromBytes(text)
	}
	for _, one := range strings.FieldsFunc(s.OIDCAllowed, func(r rune) bool { return r == ',' || r == ' ' }) {
		if at := strings.Index(one, "@"); at < 0 || at == len(one)-1 || at != strings.LastIndex(one, "@") {
			return fmt.Errorf("AIPASSPORT_OIDC_ALLOWED: %q is neither an address nor a domain like @example.com", one)
		}
		c.oidcAllowed = append(c.oidcAllowed, one)
	}
	if s.OIDCAllowed != "" && len(c.oidcAllowed) == 0 {
		return errors.New("AIPASSPORT_OIDC_ALLOWED: names nobody")
	}
	return nil
}

// dollars reads an amount of a setting.
func dollars(text string) (passport.Money, error) {
	cents, ok := web.ReadDollars(text)
	if !ok {
		return 0, fmt.Errorf("%q is not an amount in dollars, like 20 or 20.50", text)
	}
	return passport.Money(cents) * passport.Cent, nil
}

// parseCharges says what costs the hold that need not.
func (s settings) parseCharges() (cut, fiveHundreds bool, err error) {
	switch {
	case s.ChargeCut != "seen" && s.ChargeCut != "hold":
		err = fmt.Errorf("AIPASSPORT_CHARGE_CUT: %q is neither seen nor hold", s.ChargeCut)
	case s.Charge5xx != "nothing" && s.Charge5xx != "hold":
		err = fmt.Errorf("AIPASSPORT_CHARGE_5XX: %q is neither nothing nor hold", s.Charge5xx)
	}
	return s.ChargeCut == "hold", s.Charge5xx == "hold", err
}
