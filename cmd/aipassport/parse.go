package main

import (
	"errors"
	"fmt"

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
