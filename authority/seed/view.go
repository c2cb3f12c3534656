package seed

import (
	"time"

	"github.com/devrelopers/aipassport/passport"
)

// isoTime is a time as the seed writes it: ISO 8601, UTC, milliseconds, Z.
func isoTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// scopeView is a detail as the seed's scope.
type scopeView struct {
	Provider       passport.Provider     `json:"provider"`
	Models         []string              `json:"models"`
	Capabilities   []passport.Capability `json:"capabilities"`
	MaxBudgetCents passport.Limit        `json:"maxBudgetCents,omitzero"`
	MaxRequests    passport.Limit        `json:"maxRequests,omitzero"`
	RateLimit      passport.Limit        `json:"rateLimit,omitzero"`
	ClampOutput    *bool                 `json:"clampOutput,omitempty"`
}

func scopeOf(d passport.Detail) *scopeView {
	v := &scopeView{d.Provider, d.Models, d.Capabilities, d.MaxBudgetCents, d.MaxRequests, d.RateLimit, d.ClampOutput}
	if v.Models == nil {
		v.Models = []string{}
	}
	if v.Capabilities == nil {
		v.Capabilities = []passport.Capability{}
	}
	return v
}

// scopeIfOne is the scope of a grant of one provider; nil where there are several.
func scopeIfOne(ds []passport.Detail) *scopeView {
	if len(ds) != 1 {
		return nil
	}
	return scopeOf(ds[0])
}

// detailView is a detail as an ai_access object (RFC 9396 §2).
type detailView struct {
	Type string `json:"type"`
	*scopeView
	ExpiresAt          passport.Limit `json:"expiresAt,omitzero"`
	MaxDelegationDepth passport.Limit `json:"maxDelegationDepth,omitzero"`
}

func detailsView(ds []passport.Detail) []detailView {
	out := make([]detailView, len(ds))
	for i, d := range ds {
		out[i] = detailView{passport.DetailType, scopeOf(d), d.ExpiresAt, d.MaxDelegationDepth}
	}
	return out
}

type grantRequestJSON struct {
	ID                   passport.RequestID `json:"id"`
	CreatedAt            string             `json:"createdAt"`
	AppName              string             `json:"appName"`
	AppURL               string             `json:"appUrl"`
	Scope                *scopeView         `json:"scope,omitempty"`
	AuthorizationDetails []detailView       `json:"authorizationDetails"`
	Reason               string             `json:"reason"`
}

// requestView shows a request that was just made.
func requestView(g passport.Grant) grantRequestJSON {
	return grantRequestJSON{g.RequestID, isoTime(g.CreatedAt), g.AppName, g.AppURL, scopeIfOne(g.Terms()), detailsView(g.Terms()), g.Reason}
}

type grantJSON struct {
	ID                   passport.GrantID   `json:"id"`
	RequestID            passport.RequestID `json:"requestId"`
	AppName              string             `json:"appName"`
	AppURL               string             `json:"appUrl"`
	Scope                *scopeView         `json:"scope,omitempty"`
	AuthorizationDetails []detailView       `json:"authorizationDetails"`
	Status               string             `json:"status"`
	Version              string             `json:"version"`
	CreatedAt            string             `json:"createdAt"`
	ExpiresAt            string             `json:"expiresAt"`
	ApprovedAt           string             `json:"approvedAt,omitempty"`
	RevokedAt            string             `json:"revokedAt,omitempty"`
	UsageCount           int64              `json:"usageCount"`
	UsageBudgetCents     int64              `json:"usageBudgetCents"` // settled, in cents, rounded up
	SettledMicroUSD      int64              `json:"settledMicroUsd"`
	ReservedMicroUSD     int64              `json:"reservedMicroUsd"`
	Notes                string             `json:"notes,omitempty"`
	Extends              passport.GrantID   `json:"extends,omitempty"` // the grant that this request asks to raise, or has raised
}

func grantView(s passport.Standing) grantJSON {
	g := s.Grant
	v := grantJSON{
		ID: g.ID, RequestID: g.RequestID, AppName: g.AppName, AppURL: g.AppURL,
		Scope: scopeIfOne(g.Terms()), AuthorizationDetails: detailsView(g.Terms()),
		Status: g.State.Wire(), Version: "1", // of the format, as in the seed; not of the grant
		CreatedAt: isoTime(g.CreatedAt), ExpiresAt: isoTime(g.ExpiresAt),
		UsageCount: s.Total.Calls, UsageBudgetCents: s.Total.Settled.CentsUp(),
		SettledMicroUSD: int64(s.Total.Settled), ReservedMicroUSD: int64(s.Total.Held), Notes: g.Notes, Extends: g.Extends,
	}
	if !g.ApprovedAt.IsZero() {
		v.ApprovedAt = isoTime(g.ApprovedAt)
	}
	if !g.RevokedAt.IsZero() {
		v.RevokedAt = isoTime(g.RevokedAt)
	}
	return v
}

// inspectView is the part of a grant that a token's holder may read.
func inspectView(s passport.Standing) map[string]any {
	g := grantView(s)
	v := map[string]any{
		"id": g.ID, "appName": g.AppName, "appUrl": g.AppURL, "status": g.Status, "createdAt": g.CreatedAt,
		"expiresAt": g.ExpiresAt, "usageCount": g.UsageCount, "authorizationDetails": g.AuthorizationDetails,
	}
	if g.Scope != nil {
		v["scope"] = g.Scope
	}
	return v
}
