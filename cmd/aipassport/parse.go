package main

import (
	"errors"
	"fmt"

	"github.com/devrelopers/aipassport/internal/secret"
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
