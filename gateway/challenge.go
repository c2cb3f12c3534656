package gateway

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"

	"github.com/devrelopers/aipassport/guard/token"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// realm is the protection space of all ways in (RFC 9110 §11.5): one token opens them all, within its grant.
const realm = "aipassport"

// maxRemedy bounds what a refusal says is to be asked for, in bytes of JSON. It names one model and a few numbers; of a longer one
// nothing is said.
const maxRemedy = 1 << 10

// Resources are the paths that a token is for, below the broker's own URL, which is one too (RFC 8707): each has its metadata
// (RFC 9728 §3.1) below /.well-known/oauth-protected-resource.
var Resources = []string{"", "/v1", "/anthropic", "/google"}

// challenges are the values of WWW-Authenticate of a refusal (RFC 9110 §11.6.1). They stand beside the body, which has the shape that the
// caller's SDK expects. A pause has none: there is nothing that the app could ask for.
func (c *call) challenges(err error, r remedy) []string {
	p := problem.From(err)
	switch {
	case errors.Is(err, errNoToken): // RFC 6750 §3.1: who shows no token is told of no error
		return []string{c.challenge("", "")}
	case p.Kind == problem.Unauthenticated || p.Kind == problem.GrantEnded:
		return []string{c.challenge(cmp.Or(proofCodes[p.Field], "invalid_token"), "")}
	case r.Details != nil:
		return []string{c.challenge("insufficient_authorization_details", r.encoded())}
	case p.Kind == problem.ModelNotGranted || p.Kind == problem.CapabilityNotGranted:
		return []string{c.challenge("insufficient_authorization_details", "")}
	default:
		return nil
	}
}

// proofCodes are the errors of RFC 9449 §7.1 and §9, by the field of the problem.
var proofCodes = map[string]string{token.ProofField: "invalid_dpop_proof", token.NonceField: "use_dpop_nonce"}

// challenge is one of the scheme that the token came with: Bearer (RFC 6750 §3), or DPoP (RFC 9449 §7.1), which is also the answer to a bound
// token that came as a bearer. Its values are ours and need no escape.
func (c *call) challenge(code, remediation string) string {
	var b strings.Builder
	if p := problem.From(c.stranger); c.shown.DPoP || p != nil && p.Field == token.SchemeField {
		b.WriteString(`DPoP realm="` + realm + `", algs="` + strings.Join(token.ProofAlgorithms, " ") + `"`)
	} else {
		b.WriteString(`Bearer realm="` + realm + `"`)
	}
	if code != "" {
		b.WriteString(`, error="` + code + `"`)
	}
	if remediation != "" {
		b.WriteString(`, authorization_remediation="` + remediation + `"`)
	}
	if c.g.Public != "" {
		b.WriteString(`, resource_metadata="` + MetadataURL(c.g.Public, resourceOf(c.r.URL.Path)) + `"`) // RFC 9728 §5.1
	}
	return b.String()
}

// resourceOf is the resource that a path belongs to.
func resourceOf(path string) string {
	for _, r := range Resources[1:] {
		if strings.HasPrefix(path, r+"/") {
			return r
		}
	}
	return ""
}

// MetadataURL is where the metadata of a resource is, by the broker's URL and the resource's path (RFC 9728 §3.1). A broker has no path
// before its own.
func MetadataURL(public, resource string) string {
	return strings.TrimSuffix(public, "/") + "/.well-known/oauth-protected-resource" + resource
}

// remedy is what an app can ask for so that a call like the refused one goes through: the details, and the grant that they would raise.
// The name of the error and of this object are those of draft-ietf-oauth-rar-metadata-remediation, which gives details for the app to
// send as they are (RFC 9396 §2); grant_id is ours.
type remedy struct {
	Details []remedyDetail   `json:"authorization_details"`
	Grant   passport.GrantID `json:"grant_id,omitempty"` // absent: it cannot be raised to that, a new one is to be asked for
}

type remedyDetail struct {
	Type string `json:"type"`
	passport.Detail
}

// remedy says what to ask for after a refusal; not ok: nothing that the app could ask for helps. A grant that was passed on is raised by
// nobody but who passed it on, and what all apps together may spend is the owner's own matter.
func (c *call) remedy(err error) (r remedy, ok bool) {
	g := c.standing.Grant
	if c.wants == nil || g.ID == "" || g.Parent != "" || len(c.wants.Model) > passport.MaxModelName {
		return remedy{}, false
	}
	d := passport.Detail{Provider: c.wants.Provider, Models: []string{c.wants.Model}, Capabilities: c.wants.Uses}
	at := g.DetailFor(d.Provider)
	switch lacks, spent := errors.AsType[passport.Lacks](err); problem.KindOf(err) {
	case problem.ModelNotGranted, problem.CapabilityNotGranted:
	case problem.BudgetSpent:
		if !spent || at < 0 { // a limit over all apps
			return remedy{}, false
		}
		d.MaxBudgetCents = moreCents(g.Details[at], lacks.More)
	case problem.CallsSpent:
		if at < 0 {
			return remedy{}, false
		}
		d.MaxRequests = passport.LimitOf(min(passport.MaxCalls, max(1, 2*g.Details[at].MaxRequests.Or(0))))
	default:
		return remedy{}, false
	}
	r = remedy{Details: []remedyDetail{{passport.DetailType, d}}}
	if at >= 0 {
		r.Grant = g.ID
	}
	b, err := json.Marshal(r)
	return r, err == nil && len(b) <= maxRemedy
}

// moreCents is twice what a detail has, or as much more as the call needs if that is more.
func moreCents(d passport.Detail, needs passport.Money) passport.Limit {
	had := d.MaxBudgetCents.Or(0)
	return passport.LimitOf(min(passport.MaxCents, had+max(had, needs.CentsUp())))
}

func (r remedy) encoded() string {
	b, err := json.Marshal(r)
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// into puts what to ask for among the members of the error object that all dialects have: SDKs hand members that they do not know to their
// callers, or leave them alone. Texts in the body cannot hold the place: their quotes are escaped.
func (r remedy) into(body []byte) []byte {
	b, err := json.Marshal(r)
	place := []byte(`"error":{`)
	if err != nil || !bytes.Contains(body, place) {
		return body
	}
	members := append(append(bytes.Clone(place), bytes.TrimSuffix(bytes.TrimPrefix(b, []byte("{")), []byte("}"))...), ',')
	return bytes.Replace(body, place, members, 1)
}
