package gateway

import (
	"context"
	"net/http"
	"time"

	"github.com/devrelopers/aipassport/internal/respond"
	"github.com/devrelopers/aipassport/passport"
)

// Grants tells what a grant stands at, and the ceilings that are set with what a month has on them, with all that was queued before the
// question. The store does.
type Grants interface {
	Standing(ctx context.Context, id passport.GrantID) (passport.Standing, error)
	Ceilings(ctx context.Context, of passport.Payer, m passport.Month) ([]passport.Ceiling, error)
}

// standingJSON is what an app may know of its own grant. Money is in micro-dollars.
type standingJSON struct {
	GrantID        passport.GrantID `json:"grantId"`
	Status         string           `json:"status"`
	ExpiresAt      string           `json:"expiresAt"`
	TokenExpiresAt string           `json:"tokenExpiresAt"`
	balanceJSON
	Details []detailJSON `json:"details"`
}

type detailJSON struct {
	Provider     passport.Provider     `json:"provider"`
	Models       []string              `json:"models"`
	Capabilities []passport.Capability `json:"capabilities"`
	RateLimit    int64                 `json:"rateLimit"` // calls a minute
	ClampOutput  bool                  `json:"clampOutput"`
	balanceJSON
	MonthlyLimits []monthlyJSON `json:"monthlyLimits"` // those that leave the detail less than the grant's own caps do
}

// monthlyJSON is a limit of the owner's over all apps that binds. Neither its amount nor what others spent of it is told.
type monthlyJSON struct {
	Over              string         `json:"over"` // "all", "provider" or "key"
	RemainingMicroUSD passport.Money `json:"remainingMicroUsd"`
	ResetsAt          string         `json:"resetsAt"`
}

type balanceJSON struct {
	CapMicroUSD       passport.Money `json:"capMicroUsd"`
	SettledMicroUSD   passport.Money `json:"settledMicroUsd"`
	ReservedMicroUSD  passport.Money `json:"reservedMicroUsd"`
	RemainingMicroUSD passport.Money `json:"remainingMicroUsd"`
	CallsCap          int64          `json:"callsCap"`
	Calls             int64          `json:"calls"`
	CallsRemaining    int64          `json:"callsRemaining"`
}

func balance(b passport.Balance) balanceJSON {
	return balanceJSON{b.Cap, b.Settled, b.Held, b.Left(), b.CallsCap, b.Calls, b.CallsLeft()}
}

// tellStanding answers an app that asks for its own standing. It costs nothing and counts as no call. Errors are those of step 1.
func (g *Gateway) tellStanding(w http.ResponseWriter, r *http.Request) {
	c := g.begin(w, r, endpoint{dialect: g.OpenAI, credential: anyCredential})
	defer c.end()
	pass, standing, err := c.identify()
	if err != nil {
		c.refuse(err)
		return
	}
	// The look of step 1 does not wait for what is queued; whoever asks after a call shall see what it cost.
	if standing, err = g.Grants.Standing(r.Context(), standing.Grant.ID); err != nil {
		c.refuse(err)
		return
	}
	now := g.Now()
	ceilings, err := g.Grants.Ceilings(r.Context(), standing.Grant.Payer, passport.MonthOf(now))
	if err != nil {
		c.refuse(err)
		return
	}
	c.known(standing)
	respond.JSON(w, http.StatusOK, g.standingOf(standing, ceilings, pass.ExpiresAt, now))
}

func iso(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func (g *Gateway) standingOf(s passport.Standing, ceilings []passport.Ceiling, tokenEnds, now time.Time) standingJSON {
	out := standingJSON{GrantID: s.Grant.ID, Status: s.Grant.At(now).State.Wire(), ExpiresAt: iso(s.Grant.ExpiresAt), TokenExpiresAt: iso(tokenEnds),
		balanceJSON: balance(s.Total), Details: []detailJSON{}}
	for i, d := range s.Grant.Details {
		v := detailJSON{Provider: d.Provider, Models: d.Models, Capabilities: d.Capabilities, RateLimit: d.RateLimit.Or(0), ClampOutput: d.Clamps()}
		if v.Models == nil {
			v.Models = []string{}
		}
		if i < len(s.Details) {
			v.balanceJSON = balance(s.Details[i])
		}
		v.MonthlyLimits = g.binding(ceilings, s.Grant.Payer, d.Provider, min(s.Total.Left(), v.RemainingMicroUSD))
		out.Details = append(out.Details, v)
	}
	return out
}

// binding lists the ceilings over a provider, and over the key of it that is lent now, that leave less than own, which is what a grant's own caps leave: what the grant can still
// spend under each. Of one that leaves more nothing is told: its amount is what other apps do.
func (g *Gateway) binding(ceilings []passport.Ceiling, payer passport.Payer, p passport.Provider, own passport.Money) []monthlyJSON {
	out := []monthlyJSON{}
	key, _ := g.Vault.Pick(payer, p)
	for _, c := range ceilings {
		over := map[passport.CeilingID]string{passport.PersonCeilingOf(payer): "all", passport.KeyCeilingOf(payer, p): "provider", passport.CredentialCeiling(key): "key"}[c.ID]
		if over != "" && c.Left() < own {
			out = append(out, monthlyJSON{over, c.Left(), iso(c.Month.Ends())})
		}
	}
	return out
}
