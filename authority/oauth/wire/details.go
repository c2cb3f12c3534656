package wire

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/devrelopers/aipassport/internal/fields"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// DetailsParameter is the parameter that carries what is asked for (RFC 9396 §2).
const DetailsParameter = "authorization_details"

// members of an ai_access object. Every other is refused, RFC 9396's common ones too (§2.2): we do not know what they would mean.
var members = []string{"type", "provider", "models", "capabilities", "maxBudgetCents", "maxRequests", "rateLimit", "clampOutput", "expiresAt", "maxDelegationDepth"}

// Details reads the ai_access objects of a request: a list of 1 to passport.MaxDetails, one for each provider. A limit that is left out is
// the person's to set; models left out are all that have a price. providers are those that can be asked for. An unknown type, a member that
// is unknown, comes twice or is spelled in other letters, and a value that is none: invalid_authorization_details, which names it.
func Details(text string, providers []passport.Provider) ([]passport.Detail, error) {
	return read(text, func(o *fields.Object) passport.Detail {
		d := passport.Detail{Provider: provider(o, providers), Models: []string{}, Capabilities: capabilities(o)}
		if o.Has("models") {
			d.Models = models(o)
		}
		if o.Has("capabilities") && len(d.Capabilities) == 0 {
			o.Fail("capabilities", "Array must contain at least 1 element(s)")
		}
		return d
	})
}

// Narrowing reads ai_access objects that narrow a grant: what is left out inherits, but for the provider, which says what is narrowed.
// A detail that widens is not found here: passport.Detail.Narrow finds it.
func Narrowing(text string) ([]passport.Detail, error) {
	return read(text, func(o *fields.Object) passport.Detail {
		d := passport.Detail{Provider: passport.Provider(o.String("provider", 1))}
		if o.Has("models") {
			d.Models = models(o)
		}
		if o.Has("capabilities") {
			d.Capabilities = capabilities(o)
		}
		return d
	})
}

// read takes the list apart; one reads what a request and a narrowing have differently.
func read(text string, one func(*fields.Object) passport.Detail) ([]passport.Detail, error) {
	o, err := fields.Read([]byte(`{"`+DetailsParameter+`":`+text+`}`), DetailsParameter)
	if err != nil || len(o.Unknown(DetailsParameter)) > 0 {
		return nil, Bad(InvalidDetails, "%s: is not one JSON array without duplicate members", DetailsParameter).Because(err)
	}
	list := o.Array(DetailsParameter)
	if err := o.Err(); err != nil {
		return nil, Bad(InvalidDetails, "%s: must be an array of objects", DetailsParameter)
	}
	if len(list) == 0 || len(list) > passport.MaxDetails {
		return nil, Bad(InvalidDetails, "%s: must have 1 to %d objects", DetailsParameter, passport.MaxDetails)
	}
	var out []passport.Detail
	for i, raw := range list {
		d, err := detail(raw, one)
		if err == nil && slices.ContainsFunc(out, func(e passport.Detail) bool { return e.Provider == d.Provider }) {
			err = problem.New(problem.Invalid, "comes twice").In("provider")
		}
		if err != nil {
			return nil, Bad(InvalidDetails, "%s[%d]: %s", DetailsParameter, i, say(err))
		}
		out = append(out, d)
	}
	return out, nil
}

func detail(raw []byte, one func(*fields.Object) passport.Detail) (passport.Detail, error) {
	o, err := fields.Read(raw, members...)
	if err != nil {
		return passport.Detail{}, err
	}
	for _, m := range o.Unknown(members...) {
		o.Fail(m, "Unknown member")
	}
	o.Enum("type", passport.DetailType)
	d := one(o)
	d.MaxBudgetCents, d.MaxRequests, d.RateLimit = limit(o, "maxBudgetCents"), limit(o, "maxRequests"), limit(o, "rateLimit")
	d.ExpiresAt, d.MaxDelegationDepth = limit(o, "expiresAt"), limit(o, "maxDelegationDepth")
	if on, ok := o.OptBool("clampOutput"); ok {
		d.ClampOutput = &on
	}
	if err := o.Err(); err != nil {
		return passport.Detail{}, err
	}
	return d, d.Check()
}

// provider reads a provider's name. An error spells the built-in ones only: what else the owner has set up is not everybody's business.
func provider(o *fields.Object, providers []passport.Provider) passport.Provider {
	var spelled []string
	for _, p := range providers {
		if slices.Contains(passport.Providers, p) || string(o.Raw("provider")) == strconv.Quote(string(p)) {
			spelled = append(spelled, string(p))
		}
	}
	return passport.Provider(o.Enum("provider", spelled...))
}

// models is never nil: an empty list means any model.
func models(o *fields.Object) []string { return append([]string{}, o.Strings("models")...) }

func capabilities(o *fields.Object) []passport.Capability {
	spelled := make([]string, len(passport.Capabilities))
	for i, c := range passport.Capabilities {
		spelled[i] = string(c)
	}
	out := []passport.Capability{}
	for _, c := range o.Enums("capabilities", spelled...) {
		if slices.Contains(out, passport.Capability(c)) {
			o.Fail("capabilities", "'%s' comes twice", c)
		}
		out = append(out, passport.Capability(c))
	}
	return out
}

// limit is a whole number that may be left out; passport.Detail.Check has its bounds.
func limit(o *fields.Object, name string) passport.Limit {
	if n, ok := o.OptInt(name, 0); ok {
		return passport.LimitOf(n)
	}
	return passport.Limit{}
}

// say is what is wrong with one object, the member first.
func say(err error) string {
	if fe, ok := errors.AsType[*fields.Error](err); ok {
		for _, name := range slices.Sorted(maps.Keys(fe.Fields)) {
			return fmt.Sprintf("%s: %s", name, fe.Fields[name][0])
		}
		if len(fe.Form) > 0 {
			return fe.Form[0]
		}
	}
	p := problem.From(err)
	if p.Field != "" {
		return p.Field + ": " + p.Detail
	}
	return p.Detail
}
