package passport

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/devrelopers/aipassport/internal/problem"
)

// DetailType is the type of our authorization_details (RFC 9396 §2).
const DetailType = "ai_access"

// Bounds of what can be asked for.
const (
	MaxDetails    = 8               // details of one grant
	MaxModels     = 100             // models named in one detail
	MaxModelName  = 200             // bytes
	MaxCents      = 100_000_000_000 // a billion dollars
	MaxCalls      = 1_000_000_000_000
	MaxRate       = 1_000_000 // calls a minute
	MaxDelegation = 8
)

// Limit is a whole number that may be absent. The zero Limit is absent: it inherits in a narrowing, is the owner's to set
// in a request, and permits nothing in a grant that holds.
type Limit struct {
	n   int64
	set bool
}

// LimitOf is a limit that is set. 0 means nothing is permitted, never "no limit".
func LimitOf(n int64) Limit { return Limit{n, true} }

// Get returns the number and whether it is set.
func (l Limit) Get() (int64, bool) { return l.n, l.set }

// Or returns the number, or other if it is absent.
func (l Limit) Or(other int64) int64 {
	if l.set {
		return l.n
	}
	return other
}

// IsZero lets encoding/json leave out an absent limit (omitzero).
func (l Limit) IsZero() bool { return !l.set }

// MarshalJSON writes the number; an absent limit is null where it is not left out.
func (l Limit) MarshalJSON() ([]byte, error) {
	if !l.set {
		return []byte("null"), nil
	}
	return strconv.AppendInt(nil, l.n, 10), nil
}

// UnmarshalJSON reads a whole number; null, fractions and negative numbers are refused.
func (l *Limit) UnmarshalJSON(b []byte) error {
	n, err := strconv.ParseInt(string(bytes.TrimSpace(b)), 10, 64)
	if err != nil || n < 0 {
		return fmt.Errorf("%q is not a whole number from 0", b)
	}
	*l = LimitOf(n)
	return nil
}

func (l Limit) String() string {
	if !l.set {
		return "absent"
	}
	return strconv.FormatInt(l.n, 10)
}

// Limits are the numbers of a detail without the detail.
type Limits struct {
	MaxBudgetCents Limit
	MaxRequests    Limit
	RateLimit      Limit
}

// Detail is one ai_access object: what may be used of one provider, and how much. Its members are the seed's scope,
// one to one, plus expiresAt and maxDelegationDepth.
type Detail struct {
	Provider           Provider     `json:"provider"`
	Models             []string     `json:"models"` // empty: any model of the provider that has a price
	Capabilities       []Capability `json:"capabilities"`
	MaxBudgetCents     Limit        `json:"maxBudgetCents,omitzero"`
	MaxRequests        Limit        `json:"maxRequests,omitzero"`
	RateLimit          Limit        `json:"rateLimit,omitzero"`    // calls a minute
	ClampOutput        *bool        `json:"clampOutput,omitempty"` // see Clamps; nil inherits in a narrowing
	ExpiresAt          Limit        `json:"expiresAt,omitzero"`    // seconds since 1970 UTC
	MaxDelegationDepth Limit        `json:"maxDelegationDepth,omitzero"`
}

// Cap is the most that may be spent: zero if it is not set.
func (d Detail) Cap() Money { return Money(d.MaxBudgetCents.Or(0)) * Cent }

// Clamps says whether calls get a lower output cap rather than a refusal where the money left does not pay for the one they ask.
func (d Detail) Clamps() bool { return d.ClampOutput != nil && *d.ClampOutput }

// Limits are the numbers of d.
func (d Detail) Limits() Limits { return Limits{d.MaxBudgetCents, d.MaxRequests, d.RateLimit} }

// Check says what is wrong with a detail that came from outside, as Invalid with the member's name as Field.
func (d Detail) Check() error {
	if !d.Provider.Valid() {
		return problem.New(problem.Invalid, "%q is not a provider this broker knows", d.Provider).In("provider")
	}
	if len(d.Models) > MaxModels {
		return problem.New(problem.Invalid, "at most %d models can be named", MaxModels).In("models")
	}
	for _, m := range d.Models {
		if len(m) > MaxModelName {
			return problem.New(problem.Invalid, "a model's name has at most %d bytes", MaxModelName).In("models")
		}
	}
	for _, c := range d.Capabilities {
		if !slices.Contains(Capabilities, c) {
			return problem.New(problem.Invalid, "%q is not a capability this broker knows", c).In("capabilities")
		}
	}
	for _, b := range []struct {
		field string
		l     Limit
		max   int64
	}{
		{"maxBudgetCents", d.MaxBudgetCents, MaxCents}, {"maxRequests", d.MaxRequests, MaxCalls}, {"rateLimit", d.RateLimit, MaxRate},
		{"expiresAt", d.ExpiresAt, 1 << 40}, {"maxDelegationDepth", d.MaxDelegationDepth, MaxDelegation},
	} {
		if n, ok := b.l.Get(); ok && (n < 0 || n > b.max) {
			return problem.New(problem.Invalid, "must be from 0 to %d", b.max).In(b.field)
		}
	}
	return nil
}

// Narrow returns d reduced to n. A limit left out of n inherits; so do nil models and nil capabilities, and an empty
// provider. What is asked beyond d is refused as Invalid with the member's name: widening does not exist.
func (d Detail) Narrow(n Detail) (Detail, error) {
	if err := (Detail{Provider: d.Provider, Models: n.Models, Capabilities: n.Capabilities, MaxBudgetCents: n.MaxBudgetCents,
		MaxRequests: n.MaxRequests, RateLimit: n.RateLimit, ExpiresAt: n.ExpiresAt, MaxDelegationDepth: n.MaxDelegationDepth}).Check(); err != nil {
		return Detail{}, err
	}
	if n.Provider != "" && n.Provider != d.Provider {
		return Detail{}, widens("provider", "cannot change from %s to %s", d.Provider, n.Provider)
	}
	out := d
	if n.Models != nil {
		if len(d.Models) > 0 && len(n.Models) == 0 {
			return Detail{}, widens("models", "an empty list means any model, and only %s was asked for", strings.Join(d.Models, ", "))
		}
		for _, m := range n.Models {
			if len(d.Models) > 0 && !slices.Contains(d.Models, m) {
				return Detail{}, widens("models", "%q was not asked for", m)
			}
		}
		out.Models = slices.Clone(n.Models)
	}
	if n.Capabilities != nil {
		for _, c := range n.Capabilities {
			if !slices.Contains(d.Capabilities, c) {
				return Detail{}, widens("capabilities", "%q was not asked for", c)
			}
		}
		out.Capabilities = slices.Clone(n.Capabilities)
	}
	if n.ClampOutput != nil { // it gives the app nothing, so there is no widening it
		out.ClampOutput = n.ClampOutput
	}
	for _, l := range []struct {
		field    string
		out, ask *Limit
	}{
		{"maxBudgetCents", &out.MaxBudgetCents, &n.MaxBudgetCents}, {"maxRequests", &out.MaxRequests, &n.MaxRequests},
		{"rateLimit", &out.RateLimit, &n.RateLimit}, {"expiresAt", &out.ExpiresAt, &n.ExpiresAt},
		{"maxDelegationDepth", &out.MaxDelegationDepth, &n.MaxDelegationDepth},
	} {
		asked, ok := l.ask.Get()
		if !ok {
			continue
		}
		if had, limited := l.out.Get(); limited && asked > had {
			return Detail{}, widens(l.field, "%d is more than the %d that was asked for", asked, had)
		}
		*l.out = LimitOf(asked)
	}
	return out, nil
}

func widens(field, format string, args ...any) error {
	return problem.New(problem.Invalid, format, args...).In(field)
}

// fill sets what neither the app nor the person set, so that no grant is without a cap.
func (d Detail) fill(def Limits) Detail {
	d.MaxBudgetCents = LimitOf(d.MaxBudgetCents.Or(def.MaxBudgetCents.Or(0)))
	d.MaxRequests = LimitOf(d.MaxRequests.Or(def.MaxRequests.Or(0)))
	d.RateLimit = LimitOf(d.RateLimit.Or(def.RateLimit.Or(0)))
	return d
}

// Permits says whether d covers a call: model and capabilities, not money or time. Errors: ModelNotGranted, CapabilityNotGranted.
func (d Detail) Permits(c Call) error {
	if c.Provider != d.Provider {
		return problem.New(problem.ModelNotGranted, "Model '%s' is not permitted by this grant. Allowed provider: %s", c.Model, d.Provider).In("model")
	}
	if len(d.Models) > 0 && !slices.Contains(d.Models, c.Model) {
		return problem.New(problem.ModelNotGranted, "Model '%s' is not permitted by this grant. Allowed models: %s", c.Model, strings.Join(d.Models, ", ")).In("model")
	}
	if len(c.Uses) == 0 {
		return problem.New(problem.CapabilityNotGranted, "a call that uses no capability is not permitted")
	}
	for _, u := range c.Uses {
		if !slices.Contains(d.Capabilities, u) {
			return problem.New(problem.CapabilityNotGranted, "Capability '%s' is not permitted by this grant. Allowed capabilities: %s", u, joinCaps(d.Capabilities))
		}
	}
	return nil
}

func joinCaps(cs []Capability) string {
	s := make([]string, len(cs))
	for i, c := range cs {
		s[i] = string(c)
	}
	return strings.Join(s, ", ")
}

// Same says whether two details permit the same.
func (d Detail) Same(e Detail) bool {
	return d.Provider == e.Provider && slices.Equal(d.Models, e.Models) && slices.Equal(d.Capabilities, e.Capabilities) && d.Limits() == e.Limits() &&
		d.Clamps() == e.Clamps() && d.ExpiresAt == e.ExpiresAt && d.MaxDelegationDepth == e.MaxDelegationDepth
}
