package gateway

import (
	"slices"
	"strings"

	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/gateway/dialect/bridge"
	"github.com/devrelopers/aipassport/gateway/dialect/bridge/back"
	"github.com/devrelopers/aipassport/gateway/dialect/tap"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// HeaderIgnored names the members of a request that were not carried to another provider's model, since they change no answer.
const HeaderIgnored = "AIPassport-Ignored"

// resolve says which provider a call is for and what its model is called there. own is the provider whose format the caller speaks; empty:
// none (/proxy/chat). The first line that fits counts; of several details the caller's own provider comes first, then their order.
//
//	the model is called  and                                                   then it is
//	any name             a detail of the grant names it                        that detail's provider's
//	provider/name        the grant covers that provider                        that provider's, called name
//	any name             a detail that names no models has a price for it      that detail's provider's
//	provider/name        the broker knows that provider                        that provider's, called name: permit says why not
//	any name             the grant covers one provider, which was added        that provider's: it has no price for it
//	any name             nothing of this                                       own's, else the first detail's
//
// Names with a slash of their own (OpenRouter's) are found by the first and the third line, and always as provider/name.
func (g *Gateway) resolve(grant passport.Grant, own passport.Provider, model string) (passport.Provider, string) {
	first := func(fits func(d passport.Detail) bool) passport.Provider {
		found := passport.Provider("")
		for _, d := range grant.Details {
			if fits(d) && (found == "" || d.Provider == own) {
				found = d.Provider
			}
		}
		return found
	}
	prefix, rest, slashed := strings.Cut(model, "/")
	p := passport.Provider(prefix)
	slashed = slashed && rest != "" && g.native(p) != nil
	if named := first(func(d passport.Detail) bool { return slices.Contains(d.Models, model) }); named != "" {
		return named, model
	}
	if slashed && grant.DetailFor(p) >= 0 {
		return p, rest
	}
	priced := first(func(d passport.Detail) bool {
		_, ok := g.Tariff.Price(d.Provider, model)
		return ok && len(d.Models) == 0
	})
	switch {
	case priced != "":
		return priced, model
	case slashed:
		return p, rest
	case len(grant.Details) == 1 && grant.Details[0].Provider.Named(): // there is no other that could be meant
		return grant.Details[0].Provider, model
	case own == "" && len(grant.Details) > 0:
		return grant.Details[0].Provider, model
	default:
		return own, model
	}
}

// route sends a call that was read as one for its format's own provider to the provider that its model is of. If that speaks another
// format, the request is turned into it and read again by its own dialect, which says what it costs at most.
func (c *call) route(d dialect.Dialect, in dialect.Input, req *dialect.Request) (*dialect.Request, error) {
	p, name := c.g.resolve(c.standing.Grant, d.Provider(), req.Call.Model)
	native := c.g.native(p)
	switch {
	case native == nil: // of a provider that was taken out: permit says so
		req.Call.Provider = p
		return req, nil
	case native.Provider() != d.Provider():
		return c.turn(d, in, req.Call, destination{native, p, name})
	case d == c.g.OpenAI:
		d = native // as that very provider wants it
	case p.Named() && req.Call.Kind != passport.KindEmbedding:
		return nil, problem.New(problem.Invalid, "this endpoint has no models of provider %s: use /v1/chat/completions", p).In("model")
	}
	if name != req.Call.Model || d == native && d != c.g.OpenAI {
		in.Body = bridge.Rename(in.Body, name)
		var err error
		if req, err = d.Read(in); err != nil {
			return nil, err
		}
	}
	req.Call.Provider = p
	return req, nil
}

// destination is where a call goes that its caller wrote for another provider.
type destination struct {
	native   dialect.Dialect
	provider passport.Provider
	model    string // as it is called there
}

// rewrite writes a request of a kind for another provider.
func (c *call) rewrite(d dialect.Dialect, in dialect.Input, kind passport.Kind, to destination) (*bridge.Turned, error) {
	switch {
	case (d == c.g.OpenAI || d == c.g.Anthropic) && in.Method == "":
		return bridge.Read(d.Provider(), to.native.Provider(), to.model, in.Body)
	case kind == passport.KindEmbedding:
		return bridge.ReadEmbeddings(to.native.Provider(), to.model, in.Body)
	default:
		return nil, problem.New(problem.Invalid, "this endpoint has models of %s only", d.Provider().Title()).In("model")
	}
}

// turn reads a request as one in another provider's format, and has its answer turned back. asked is the call as its caller's own dialect
// has read it.
func (c *call) turn(d dialect.Dialect, in dialect.Input, asked passport.Call, to destination) (*dialect.Request, error) {
	turned, err := c.rewrite(d, in, asked.Kind, to)
	if err != nil {
		return nil, err
	}
	written := int64(len(turned.In.Body)) // beside the caller's own, which is kept for its Idempotency-Key
	if busy := c.pool.take(written); busy != nil {
		return nil, busy
	}
	c.taken += written
	req, err := to.native.Read(turned.In)
	if err != nil {
		return nil, turned.Error(err)
	}
	req.Call.Provider = to.provider
	if turned.Uncapped {
		req.Call.MaxOutput = passport.Limit{}
	}
	if len(turned.Ignored) > 0 {
		c.w.Header().Set(HeaderIgnored, strings.Join(turned.Ignored, ", "))
	}
	c.native = to.native
	own := req.Tap
	req.Tap = func() dialect.Tap { // once the call has its id
		c.turned = tap.Turn(own(), back.New(d.Provider(), to.native.Provider(), back.Info{
			Model: asked.Model, ID: string(c.rsv.ID), Created: c.g.Now().Unix(), IncludeUsage: turned.WantsUsage, Thinks: turned.Thoughts,
			CallID: bridge.CallID, Embeddings: asked.Kind == passport.KindEmbedding, Base64: turned.Base64,
		}))
		return c.turned
	}
	return req, nil
}

// upstreamError is an error of the provider's in the caller's words.
func (c *call) upstreamError(up dialect.Upstream) dialect.Answer {
	d := c.speaks()
	if d.Provider() != c.native.Provider() {
		up = back.Error(d.Provider(), up)
	}
	return d.UpstreamError(up, c.rec.ID)
}

// unturned is why a whole answer could not be turned into the caller's format; what it cost is known.
func (c *call) unturned() error {
	if c.turned == nil {
		return nil
	}
	return c.turned.Err()
}

// speaks is the dialect that the caller reads.
func (c *call) speaks() dialect.Dialect {
	if c.e.dialect != nil {
		return c.e.dialect
	}
	return c.native
}
