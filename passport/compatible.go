package passport

import (
	"slices"
	"strings"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
)

// Bounds of what an owner adds.
const (
	MaxCompatibles    = 64  // providers
	MaxProviderName   = 32  // bytes
	MaxProviderTitle  = 60  // characters
	MaxBase           = 500 // bytes of a base URL
	MaxHeaders        = 8   // that go with every call to one provider
	MaxHeaderName     = 60  // bytes
	MaxHeaderValue    = 500 // bytes
	MaxTariffs        = 500 // models of one provider that have a price of the owner's
	MaxTokens         = 1_000_000_000
	MaxDollarsMillion = 1_000_000 // dollars for a million model tokens
)

// Compatible is a provider that the owner has added, or the operator in a file: any server that speaks OpenAI's dialect.
type Compatible struct {
	Name      Provider
	Title     string
	Preset    Preset
	Base      string // URL as OpenAI's SDKs mean it: with the version in its path
	Local     bool   // a server of the owner's own network: http and private addresses are allowed
	Auth      Auth
	Headers   []Header // that go with every call; no secrets, for pages show them
	Tariffs   []ModelTariff
	Version   int64 // of what is stored, from 1; 0: it is not stored but in the operator's file
	CreatedAt time.Time
}

// Auth is how a provider is shown a key. The empty Auth is none of these, and refused.
type Auth string

// The ways.
const (
	AuthBearer Auth = "bearer"  // Authorization: Bearer
	AuthAPIKey Auth = "api-key" // the header api-key, as Azure OpenAI has it
	AuthNone   Auth = "none"    // no key is needed
)

// Auths lists them in the order in which errors spell them.
var Auths = []Auth{AuthBearer, AuthAPIKey, AuthNone}

// Header is a header that goes with every call.
type Header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// ModelTariff is what the owner says that a model costs. A price may be 0, for a model that runs at home; one that is left out is no
// price, and never 0: who reads a form or a file sees to that.
type ModelTariff struct {
	Model     string `json:"model"`
	Kind      Kind   `json:"kind"` // chat or embedding
	Input     Price  `json:"input"`
	Output    Price  `json:"output"`
	CacheRead Limit  `json:"cacheRead,omitzero"` // absent: as Input
	Context   int64  `json:"context"`            // model tokens of input; 0: unknown
	MaxOutput int64  `json:"maxOutput"`          // 0: unknown
}

// MaxPrice bounds a price.
const MaxPrice = Price(Dollar) * MaxDollarsMillion

// Named says whether p can be the name of an added provider: 1 to 32 of a-z, 0-9 and -, and not one of the built-in ones.
func (p Provider) Named() bool {
	if p == "" || len(p) > MaxProviderName || p == Sandbox || slices.Contains(Providers, p) || reserved[p] {
		return false
	}
	return strings.Trim(string(p), "abcdefghijklmnopqrstuvwxyz0123456789-") == "" && p[0] != '-' && p[len(p)-1] != '-'
}

// reserved names mean something else where the name of a provider stands.
var reserved = map[Provider]bool{"all": true, "person": true, "new": true, "aipassport": true}

// Valid says whether p can be a provider at all. Whether this broker has it is not ours to know.
func (p Provider) Valid() bool { return p == Sandbox || slices.Contains(Providers, p) || p.Named() }

// Check says what is wrong with c, as Invalid with the member's name, but for Base, which takes more than text to judge.
func (c Compatible) Check() error {
	bad := func(field, format string, args ...any) error {
		return problem.New(problem.Invalid, format, args...).In(field)
	}
	switch {
	case !c.Name.Named():
		return bad("name", "must be 1 to %d of a-z, 0-9 and -, and not the name of a built-in provider", MaxProviderName)
	case !c.Preset.Known():
		return bad("preset", "%q is none of %s", c.Preset, joinPresets())
	case !line(c.Title, MaxProviderTitle):
		return bad("title", "must be one line of 1 to %d characters", MaxProviderTitle)
	case c.Base == "" || len(c.Base) > MaxBase:
		return bad("base", "must have 1 to %d bytes", MaxBase)
	case !slices.Contains(Auths, c.Auth):
		return bad("auth", "%q is none of bearer, api-key, none", c.Auth)
	case len(c.Headers) > MaxHeaders:
		return bad("headers", "at most %d headers can be added", MaxHeaders)
	case len(c.Tariffs) > MaxTariffs:
		return bad("models", "at most %d models can have a price", MaxTariffs)
	}
	if err := checkHeaders(c.Headers); err != nil {
		return err
	}
	info, _ := c.Preset.Info()
	for i, t := range c.Tariffs {
		if err := t.check(); err != nil {
			return err
		}
		if info.Quirks.BoundByPrice && t.Kind != KindChat {
			return bad("models", "%s: only chat models of %s can have a price here, for only there can a call say what it pays at most", t.Model, info.Title)
		}
		if slices.ContainsFunc(c.Tariffs[:i], func(o ModelTariff) bool { return o.Model == t.Model }) {
			return bad("models", "%q has a price twice", t.Model)
		}
	}
	return nil
}

// ours are headers that say who calls, how the connection goes on (RFC 9110 §7.6.1), or what the broker itself sends. In lower case.
var ours = []string{"authorization", "api-key", "x-api-key", "x-goog-api-key", "proxy-authorization", "proxy-authenticate", "proxy-connection",
	"cookie", "host", "connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "expect", "content-length", "content-type", "content-encoding", "accept",
	"accept-encoding", "user-agent", "forwarded", "via"}

func checkHeaders(hs []Header) error {
	bad := func(format string, args ...any) error {
		return problem.New(problem.Invalid, format, args...).In("headers")
	}
	for i, h := range hs {
		low := strings.ToLower(h.Name)
		switch {
		case h.Name == "" || len(h.Name) > MaxHeaderName || strings.Trim(low, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "":
			return bad("a header's name has 1 to %d letters, digits, - and _", MaxHeaderName)
		case slices.Contains(ours, low), strings.HasPrefix(low, "x-forwarded-"), strings.HasPrefix(low, "aipassport-"):
			return bad("the header %s cannot be set: it is the broker's own, or about the connection", h.Name)
		case h.Value == "" || len(h.Value) > MaxHeaderValue || !printable(h.Value):
			return bad("the header %s must have 1 to %d printable ASCII characters", h.Name, MaxHeaderValue)
		case slices.ContainsFunc(hs[:i], func(o Header) bool { return strings.EqualFold(o.Name, h.Name) }):
			return bad("the header %s is there twice", h.Name)
		}
	}
	return nil
}

func (t ModelTariff) check() error {
	bad := func(format string, args ...any) error {
		return problem.New(problem.Invalid, format, args...).In("models")
	}
	switch cached := t.CacheRead.Or(0); {
	case t.Model == "" || len(t.Model) > MaxModelName || !printable(t.Model) || strings.ContainsAny(t.Model, " \"\\"):
		return bad("a model's name has 1 to %d letters, digits and punctuation", MaxModelName)
	case t.Kind != KindChat && t.Kind != KindEmbedding:
		return bad("%s: %q is neither chat nor embedding", t.Model, t.Kind)
	case t.Input < 0 || t.Input > MaxPrice || t.Output < 0 || t.Output > MaxPrice || cached > int64(MaxPrice):
		return bad("%s: a price is from $0 to $%d for a million model tokens", t.Model, MaxDollarsMillion)
	case t.Context < 0 || t.Context > MaxTokens || t.MaxOutput < 0 || t.MaxOutput > MaxTokens:
		return bad("%s: a size is from 0 (unknown) to %d model tokens", t.Model, MaxTokens)
	}
	return nil
}

// line says whether s is one line of at most n characters.
func line(s string, n int) bool {
	return s != "" && len([]rune(s)) <= n && strings.TrimSpace(s) == s && strings.ToValidUTF8(s, "") == s &&
		!strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// PriceFromDollars reads dollars for a million model tokens, like 2, 0.15 or 0.000001: digits and at most six decimals, nothing else.
func PriceFromDollars(s string) (Price, bool) {
	whole, frac, dot := strings.Cut(s, ".")
	if whole == "" || len(whole) > 7 || len(frac) > 6 || dot && frac == "" || strings.Trim(whole+frac, "0123456789") != "" {
		return 0, false
	}
	n := Price(0)
	for _, d := range whole + (frac + "000000")[:6] {
		n = n*10 + Price(d-'0')
	}
	return n, n <= MaxPrice
}
