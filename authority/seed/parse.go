package seed

import (
	"context"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/devrelopers/aipassport/authority"
	"github.com/devrelopers/aipassport/internal/fields"
	"github.com/devrelopers/aipassport/passport"
)

// Bounds of texts in a grant request, in characters.
const (
	maxName   = 200
	maxURL    = 2000
	maxReason = 10_000
)

// maxExpiry bounds expiresAt of a detail, in seconds since 1970: the bound of passport.Detail.Check.
const maxExpiry = 1 << 40

var scopeMembers = []string{"provider", "models", "capabilities", "maxBudgetCents", "maxRequests", "rateLimit", "clampOutput"}

// parseRequest reads the body of POST /grant-requests.
func (a *API) parseRequest(ctx context.Context, body []byte) (authority.Request, error) {
	o, err := fields.Read(body, "appName", "appUrl", "scope", "authorizationDetails", "reason", "grantId", "grantSecret")
	if err != nil {
		return authority.Request{}, err
	}
	if o.Has("grantId") || o.Has("grantSecret") {
		return a.parseMore(ctx, o)
	}
	r := authority.Request{
		AppName: text(o, "appName", maxName),
		AppURL:  webURL(o),
		Reason:  text(o, "reason", maxReason),
	}
	switch {
	case o.Has("authorizationDetails") && o.Has("scope"):
		o.Fail("authorizationDetails", "Give either scope or authorizationDetails, not both")
	case o.Has("authorizationDetails"):
		r.Details = a.parseDetails(o)
	default:
		r.Details = []passport.Detail{a.parseScope(o.Object("scope", scopeMembers...))}
	}
	return r, o.Err()
}

// parseMore reads the body of a request for more of a grant: the grant with its secret, why, and what it shall have then, of which every
// member but the provider may be left out. Who asks is known, so a name or an address is refused. A wrong secret is the NotFound of
// an unknown grant.
func (a *API) parseMore(ctx context.Context, o *fields.Object) (authority.Request, error) {
	r := authority.Request{Extends: passport.GrantID(o.String("grantId", 1)), Reason: text(o, "reason", maxReason)}
	secret := o.String("grantSecret", 1)
	for _, known := range []string{"appName", "appUrl"} {
		if o.Has(known) {
			o.Fail(known, "Is the grant's: leave it out with grantId")
		}
	}
	switch {
	case o.Has("authorizationDetails") && o.Has("scope"):
		o.Fail("authorizationDetails", "Give either scope or authorizationDetails, not both")
	case o.Has("authorizationDetails"):
		for _, v := range o.Array("authorizationDetails") {
			s := o.Inside("authorizationDetails", v, detailMembers...)
			for _, m := range s.Unknown(detailMembers...) {
				o.Fail("authorizationDetails", "Unknown member '%s'", m)
			}
			s.Enum("type", passport.DetailType)
			r.Details = append(r.Details, parseNarrowing(s))
		}
	default:
		r.Details = append(r.Details, parseNarrowing(o.Object("scope", scopeMembers...)))
	}
	if err := o.Err(); err != nil {
		return r, err
	}
	_, err := a.Control.BySecret(ctx, r.Extends, secret)
	return r, err
}

// text is a required string within a length.
func text(o *fields.Object, name string, most int) string {
	s := o.String(name, 1)
	if utf8.RuneCountInString(s) > most {
		o.Fail(name, "String must contain at most %d character(s)", most)
	}
	return s
}

// provider reads a provider's name. An error spells the built-in ones only: what else the owner has set up is not everybody's business.
func (a *API) provider(s *fields.Object) passport.Provider {
	spelled := words(passport.Providers)
	for _, p := range a.Providers() {
		if quoted := strconv.Quote(string(p)); string(s.Raw("provider")) == quoted && !slices.Contains(passport.Providers, p) {
			spelled = append(spelled, string(p))
		}
	}
	return passport.Provider(s.Enum("provider", spelled...))
}

// parseScope reads one scope; what is wrong is listed under the top-level member that it lies in.
func (a *API) parseScope(s *fields.Object) passport.Detail {
	d := passport.Detail{
		Provider:     a.provider(s),
		Models:       models(s),
		Capabilities: []passport.Capability{},
	}
	for _, c := range s.Enums("capabilities", words(passport.Capabilities)...) {
		d.Capabilities = append(d.Capabilities, passport.Capability(c))
	}
	d.MaxBudgetCents = limit(s, "maxBudgetCents", passport.MaxCents)
	d.MaxRequests, d.RateLimit = limit(s, "maxRequests", passport.MaxCalls), limit(s, "rateLimit", passport.MaxRate)
	d.ClampOutput = clamp(s)
	return d
}

// clamp is whether calls get a lower output cap where the money is short; it may be left out.
func clamp(s *fields.Object) *bool {
	if on, ok := s.OptBool("clampOutput"); ok {
		return &on
	}
	return nil
}

// models is a list of names, within bounds that the seed does not have.
func models(s *fields.Object) []string {
	list := s.Strings("models")
	if len(list) > passport.MaxModels {
		s.Fail("models", "Array must contain at most %d element(s)", passport.MaxModels)
	}
	for _, m := range list {
		if len(m) > passport.MaxModelName {
			s.Fail("models", "String must contain at most %d character(s)", passport.MaxModelName)
		}
	}
	return append([]string{}, list...)
}

// limit is a whole number from 0 to most that may be left out.
func limit(s *fields.Object, name string, most int64) passport.Limit {
	n, ok := s.OptInt(name, 0)
	if !ok {
		return passport.Limit{}
	}
	if n > most {
		s.Fail(name, "Number must be less than or equal to %d", most)
	}
	return passport.LimitOf(n)
}

func words[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = string(v)
	}
	return out
}

var detailMembers = append([]string{"type", "expiresAt", "maxDelegationDepth"}, scopeMembers...)

// parseDetails reads a list of ai_access objects (RFC 9396 §2). An unknown type or member is refused.
func (a *API) parseDetails(o *fields.Object) []passport.Detail {
	const name = "authorizationDetails"
	list := o.Array(name)
	if list == nil {
		return nil
	}
	if len(list) == 0 || len(list) > passport.MaxDetails {
		o.Fail(name, "Array must contain 1 to %d element(s)", passport.MaxDetails)
		return nil
	}
	seen := map[passport.Provider]bool{}
	var out []passport.Detail
	for _, v := range list {
		s := o.Inside(name, v, detailMembers...)
		for _, m := range s.Unknown(detailMembers...) {
			o.Fail(name, "Unknown member '%s'", m)
		}
		s.Enum("type", passport.DetailType)
		d := a.parseScope(s)
		d.ExpiresAt, d.MaxDelegationDepth = limit(s, "expiresAt", maxExpiry), limit(s, "maxDelegationDepth", passport.MaxDelegation)
		if d.Provider != "" && seen[d.Provider] {
			o.Fail(name, "Names provider '%s' twice", d.Provider)
		}
		seen[d.Provider] = true
		out = append(out, d)
	}
	return out
}

var approvalMembers = []string{"expiresInSeconds", "scope", "authorizationDetails"}

// parseApproval reads {expiresInSeconds, scope} or {expiresInSeconds, authorizationDetails}. What is left out inherits; of
// several details those that are not in the list are not given.
func parseApproval(o *fields.Object, g passport.Grant) (passport.Approval, error) {
	a := passport.Approval{Lifetime: defaultExpiry * time.Second, Narrowed: make([]passport.Detail, len(g.Asked))}
	if n, ok := o.OptInt("expiresInSeconds", 1); ok {
		if n > int64(passport.MaxLifetime/time.Second) {
			o.Fail("expiresInSeconds", "Number must be less than or equal to %d", int64(passport.MaxLifetime/time.Second))
			n = 0
		}
		a.Lifetime = time.Duration(n) * time.Second
		if g.Extends != "" {
			o.Fail("expiresInSeconds", "Does not change when a grant is raised: leave it out")
		}
	}
	switch {
	case o.Has("scope") && o.Has("authorizationDetails"):
		o.Fail("authorizationDetails", "Give either scope or authorizationDetails, not both")
	case o.Has("scope") && len(g.Asked) != 1:
		o.Fail("scope", "This request has %d details: narrow it with authorizationDetails", len(g.Asked))
	case o.Has("scope"):
		a.Narrowed[0] = parseNarrowing(o.Object("scope", scopeMembers...))
	case o.Has("authorizationDetails"):
		a.Kept = make([]bool, len(g.Asked))
		for _, v := range o.Array("authorizationDetails") {
			narrowed := parseNarrowing(o.Inside("authorizationDetails", v, detailMembers...))
			i := indexOf(g.Asked, narrowed.Provider)
			if i < 0 || a.Kept[i] {
				o.Fail("authorizationDetails", "Provider '%s' was not asked for, or comes twice", narrowed.Provider)
				continue
			}
			a.Kept[i], a.Narrowed[i] = true, narrowed
		}
	}
	return a, o.Err()
}

func indexOf(ds []passport.Detail, p passport.Provider) int {
	for i, d := range ds {
		if d.Provider == p {
			return i
		}
	}
	return -1
}

// parseNarrowing reads a scope of which every member may be left out.
func parseNarrowing(s *fields.Object) passport.Detail {
	var d passport.Detail
	if s.Has("provider") {
		d.Provider = passport.Provider(s.String("provider", 1)) // another than the asked one is refused as widening
	}
	if s.Has("models") {
		d.Models = models(s)
	}
	if s.Has("capabilities") {
		d.Capabilities = []passport.Capability{}
		for _, c := range s.Enums("capabilities", words(passport.Capabilities)...) {
			d.Capabilities = append(d.Capabilities, passport.Capability(c))
		}
	}
	d.MaxBudgetCents = limit(s, "maxBudgetCents", passport.MaxCents)
	d.MaxRequests, d.RateLimit = limit(s, "maxRequests", passport.MaxCalls), limit(s, "rateLimit", passport.MaxRate)
	d.ExpiresAt, d.MaxDelegationDepth = limit(s, "expiresAt", maxExpiry), limit(s, "maxDelegationDepth", passport.MaxDelegation)
	d.ClampOutput = clamp(s)
	return d
}
