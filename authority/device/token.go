package device

import (
	"context"
	"crypto/sha256"

	"github.com/devrelopers/aipassport/authority/oauth/wire"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/record"
	"github.com/devrelopers/aipassport/passport"
)

// badCode is one wording for a code that is unknown, another client's, another key's or used: nobody learns which.
func badCode() error {
	return wire.Bad(wire.InvalidGrant, "device_code: is unknown, used, or not for this client and key")
}

// Token is the grant type (RFC 8628 §3.4, §3.5). The order is the security property: who asks is known before anything is told, the code is
// used up before a token is made.
func (d *Device) Token(ctx context.Context, c wire.Call) (wire.Answer, error) {
	// 1. The code, and whether it is this client's and this key's.
	dc, err := d.own(ctx, c)
	if err != nil {
		return wire.Answer{}, err
	}
	record.From(ctx).Grant = dc.Grant
	// 2. Not too often. Of two polls at once one is too soon.
	next, tooSoon := dc.Poll(d.cfg.Now().UTC())
	if err := d.cfg.Codes.PollDeviceCode(ctx, next, dc.PolledAt); err != nil {
		if problem.KindOf(err) != problem.Conflict {
			return wire.Answer{}, err
		}
		tooSoon = true
	}
	if tooSoon {
		return wire.Answer{}, wire.Bad(wire.SlowDown, "polled too soon: wait 5 seconds more from now on")
	}
	// 3. How the person answered.
	g, err := d.answer(ctx, dc)
	if err != nil {
		return wire.Answer{}, err
	}
	// 4. The code is used up: of many who bring it one goes on. If we die after this, the device asks anew.
	if err := d.cfg.Codes.TakeDeviceCode(ctx, dc.Hash); err != nil {
		if problem.KindOf(err) == problem.Conflict {
			return wire.Answer{}, badCode()
		}
		return wire.Answer{}, err
	}
	// 5. The tokens.
	return d.cfg.Give(ctx, g, c)
}

// own reads the device code of a request.
func (d *Device) own(ctx context.Context, c wire.Call) (passport.DeviceCode, error) {
	text, err := c.Form.Need("device_code", maxCode)
	if err != nil {
		return passport.DeviceCode{}, err
	}
	dc, err := d.cfg.Codes.DeviceCode(ctx, sha256.Sum256([]byte(text)))
	if err != nil && problem.KindOf(err) != problem.NotFound {
		return passport.DeviceCode{}, err
	}
	if err != nil || dc.Client != c.Client.ID || dc.JKT != "" && dc.JKT != c.JKT || dc.Used {
		return passport.DeviceCode{}, badCode()
	}
	return dc, nil
}

// answer is the grant if it was approved in time, else the error that says how it stands.
func (d *Device) answer(ctx context.Context, dc passport.DeviceCode) (passport.Grant, error) {
	expired := wire.Bad(wire.ExpiredToken, "nobody answered in time: ask for a new code")
	s, err := d.cfg.Control.Standing(ctx, dc.Grant)
	if err != nil {
		if problem.KindOf(err) == problem.NotFound {
			return passport.Grant{}, expired
		}
		return passport.Grant{}, err
	}
	now := d.cfg.Now()
	switch s.Grant.State {
	case passport.GrantPending:
		if now.Before(dc.ExpiresAt) {
			return passport.Grant{}, wire.Bad(wire.Pending, "nobody has answered yet")
		}
		return passport.Grant{}, expired
	case passport.GrantDenied, passport.GrantRevoked:
		return passport.Grant{}, wire.Bad(wire.AccessDenied, "the request was denied")
	case passport.GrantActive, passport.GrantPaused:
		if !now.Before(dc.ExpiresAt.Add(answerGrace)) {
			return passport.Grant{}, expired
		}
		return s.Grant, s.Grant.Live(now)
	default:
		return passport.Grant{}, expired
	}
}
