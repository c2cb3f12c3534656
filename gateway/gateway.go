// Package gateway is the data plane: it carries one call to a provider and its answer back. It holds no policy: it asks
// passport and the guards, in eight steps whose order is the security property. It may not touch sessions, consent or SQL.
package gateway

import (
	"context"
	"net/http"
	"time"

	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/gateway/upstream"
	"github.com/devrelopers/aipassport/guard/meter"
	"github.com/devrelopers/aipassport/guard/recall"
	"github.com/devrelopers/aipassport/guard/repeat"
	"github.com/devrelopers/aipassport/guard/token"
	"github.com/devrelopers/aipassport/guard/vault"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// Tokens tells whose token it is and what the grant behind it stands at, asked anew at every call. guard/token does.
type Tokens interface {
	// Admit also uses up the proof that a token which is bound to a key comes with: it is asked once a call.
	Admit(ctx context.Context, by token.Shown) (token.Passport, passport.Standing, error)
	// Look is Admit without a proof, for what was admitted before.
	Look(ctx context.Context, access string) (token.Passport, passport.Standing, error)
	// Nonce is the one that the caller's next proof is to have.
	Nonce() (string, error)
}

// Config is what the gateway works with. All fields are required, but for OnKeepError and OnMarkError.
type Config struct {
	Public   string // the broker's URL, below which the metadata of its resources lies
	Tokens   Tokens
	Grants   Grants
	Meter    *meter.Meter
	Tariff   meter.Prices
	Board    *recall.Board
	Vault    *vault.Vault
	Upstream *upstream.Client
	Repeats  *repeat.Keeper
	Now      func() time.Time

	OnKeepError func(error) // an answer that was to be kept was not; nil: nobody is told
	OnMarkError func(error) // that a provider refuses or takes a key was not noted; nil: nobody is told

	OpenAI, Anthropic, Google dialect.Dialect

	// Compatible is the dialect of a provider that speaks OpenAI's and is not OpenAI, with what is its own; nil: there is no such
	// provider now. A nil func: there is none at all.
	Compatible func(passport.Provider) dialect.Dialect

	// Charge5xx charges the hold for a provider's answer of 500 or above; else it costs nothing.
	Charge5xx bool

	MaxBody      int64         // bytes of one request body
	MaxBodies    int64         // bytes of all request bodies read at one time
	BodyTimeout  time.Duration // for reading a request body
	WriteTimeout time.Duration // for writing one piece of an answer to the client
}

// Gateway serves calls.
type Gateway struct {
	Config
	bodies    *allowance
	keeping   *allowance // for answers that are to be kept
	keys      keyMarks
	strangers *allowance // for callers without a good token, so that they take no room from the others
}

// New returns a gateway.
func New(c Config) *Gateway {
	if c.Compatible == nil {
		c.Compatible = func(passport.Provider) dialect.Dialect { return nil }
	}
	if c.OnKeepError == nil {
		c.OnKeepError = func(error) {}
	}
	if c.OnMarkError == nil {
		c.OnMarkError = func(error) {}
	}
	return &Gateway{Config: c, bodies: newAllowance(c.MaxBodies), keeping: newAllowance(maxKeeping), strangers: newAllowance(max(c.MaxBody, c.MaxBodies/strangersShare))}
}

// strangersShare is the part of MaxBodies, one in so many, that callers without a good token have besides.
const strangersShare = 8

// serve carries one call. Every exit has one answer: before step 5 it costs nothing; between 5 and 6 nothing was sent and the
// hold is given back; after 6 what was seen is settled, or the whole hold where the usage is unknown. If we die after step 5,
// the next start charges the hold in full.
func (g *Gateway) serve(w http.ResponseWriter, r *http.Request, e endpoint) {
	c := g.begin(w, r, e)
	defer c.end()
	if err := e.early(c); err != nil { // the seed tells of a bad body before a bad token
		c.refuse(err)
		return
	}

	// 1 identify: whose token, and does its grant live now.
	pass, standing, err := c.identify()
	if err != nil {
		c.refuse(err)
		return
	}

	// 2 read: the whole body, strictly; what cannot be priced is refused.
	req, err := e.read(c)
	if err != nil {
		c.refuse(err)
		return
	}

	// 2b again: a key that an earlier call has is answered from what is known of that call; nothing is held or sent.
	if c.again(r.Context(), &req.Call) {
		return
	}

	// 3 permit: calls left, a key to lend, model and capabilities.
	detail, err := c.permit(&req.Call)
	if err != nil {
		c.refuse(err)
		return
	}

	// 4 watch: from here on a revoke, a pause or the end of grant or token cuts whatever we do.
	ctx, release, err := c.watch(pass, standing.Grant)
	defer release()
	if err != nil {
		c.refuse(err)
		return
	}

	// 5 reserve: the worst case, durable before a byte leaves. The same statement requires an active grant, so a revoke that
	// came before is seen there, and one that comes after finds us on the board.
	rsv, err := g.Meter.Reserve(ctx, standing.Grant, detail, req.Call)
	if err != nil {
		c.unreserved(ctx, req.Call.Claim, err)
		return
	}
	c.reserved(rsv, req.Call)
	c.keeping(req.Call.Claim)
	defer c.settle() // 8, on every path: once, ordered behind its hold, whatever happens in between

	// 6 send, 7 relay: the credential lives inside lend only.
	c.lend(ctx, req)
}

// permit says whether a grant covers a call and returns the index of the detail that does. The order is the seed's: calls,
// key, model, capability.
func (g *Gateway) permit(s passport.Standing, call passport.Call) (int, error) {
	if s.Total.CallsLeft() == 0 {
		return 0, problem.New(problem.CallsSpent, "Usage cap exceeded")
	}
	i := s.Grant.DetailFor(call.Provider)
	if i < 0 {
		return 0, problem.New(problem.ModelNotGranted, "Model '%s' is not permitted by this grant: it does not cover provider %s", call.Model, call.Provider).In("model")
	}
	if i < len(s.Details) && s.Details[i].CallsLeft() == 0 {
		return 0, problem.New(problem.CallsSpent, "Usage cap exceeded")
	}
	if g.native(call.Provider) == nil {
		return 0, problem.New(problem.CredentialMissing, "provider '%s' is not set up in this broker any more: its owner has removed it", call.Provider)
	}
	if !g.Vault.Has(s.Grant.Payer, call.Provider) {
		return 0, vault.Missing(call.Provider)
	}
	return i, s.Grant.Details[i].Permits(call)
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
