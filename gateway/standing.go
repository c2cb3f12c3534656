package gateway

import (
	"context"
	"net/http"
	"time"

	"github.com/devrelopers/aipassport/internal/respond"
	"github.com/devrelopers/aipassport/passport"
)

// Grants tells what a grant stands at, with all that was queued before the question. The store does.
type Grants interface {
	Standing(ctx context.Context, id passport.GrantID) (passport.Standing, error)
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
	c.known(standing)
	respond.JSON(w, http.StatusOK, standingOf(standing, pass.ExpiresAt, g.Now()))
}

func standingOf(s passport.Standing, tokenEnds, now time.Time) standingJSON {
	iso := func(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
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
		out.Details = append(out.Details, v)
	}
	return out
}

// anyCredential takes the token wherever one of the dialects has it.
func anyCredential(r *http.Request) (string, error) {
	if v := r.Header.Get("X-Goog-Api-Key"); v != "" {
		return v, nil
	}
	return anthropicCredential(r)
}
