package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"time"

	"github.com/google/uuid"

	"github.com/devrelopers/aipassport/authority"
	"github.com/devrelopers/aipassport/authority/admin"
	"github.com/devrelopers/aipassport/authority/client"
	"github.com/devrelopers/aipassport/authority/consent"
	"github.com/devrelopers/aipassport/authority/device"
	"github.com/devrelopers/aipassport/authority/identity"
	"github.com/devrelopers/aipassport/authority/keys"
	"github.com/devrelopers/aipassport/authority/oauth"
	"github.com/devrelopers/aipassport/authority/openrouter"
	"github.com/devrelopers/aipassport/authority/seed"
	"github.com/devrelopers/aipassport/authority/status"
	"github.com/devrelopers/aipassport/gateway"
	"github.com/devrelopers/aipassport/gateway/dialect/anthropic"
	"github.com/devrelopers/aipassport/gateway/dialect/gemini"
	"github.com/devrelopers/aipassport/gateway/dialect/openai"
	"github.com/devrelopers/aipassport/gateway/upstream"
	"github.com/devrelopers/aipassport/guard/meter"
	"github.com/devrelopers/aipassport/guard/recall"
	"github.com/devrelopers/aipassport/guard/repeat"
	"github.com/devrelopers/aipassport/guard/roster"
	"github.com/devrelopers/aipassport/guard/token"
	"github.com/devrelopers/aipassport/guard/vault"
	"github.com/devrelopers/aipassport/internal/flood"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/record"
	"github.com/devrelopers/aipassport/internal/seal"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/server"
	"github.com/devrelopers/aipassport/web"
	"github.com/devrelopers/aipassport/webhook"
)

// What an owner gives when neither the app nor the person says: five dollars, and finite numbers that no person reaches.
var ownerDefaults = passport.Limits{
	MaxBudgetCents: passport.LimitOf(500), MaxRequests: passport.LimitOf(10_000), RateLimit: passport.LimitOf(600),
}

// Bounds that are not settings.
const (
	pendingTTL  = time.Hour // a request waits this long for an answer, as in the seed
	maxInFlight = 256       // calls of one grant at one time
	maxTokens   = 120       // that one grant gets a minute
	maxConns    = 20_000
	maxBodies   = 1 << 30 // bytes of request bodies in memory at one time

	// heapFloor is reserved and never touched, so that it takes no memory. The garbage collector runs when the heap has doubled and
	// counts it in: once for 32 MiB of what calls leave behind, not once for each few. With a large heap it makes no difference.
	heapFloor = 32 << 20
)

// broker is everything that runs.
type broker struct {
	cfg      config
	log      *slog.Logger
	public   *url.URL
	lock     *os.File // of the data directory; nil: there is none
	listener net.Listener
	store    storage
	prices   *meter.Book
	roster   *roster.Roster
	vault    *vault.Vault
	keys     *keys.Keys
	tokens   *token.Service
	box      *seal.Box
	webhook  *webhook.Sender
	repeats  *repeat.Keeper
	meter    *meter.Meter
	board    *recall.Board

	closeRates func() // nil: there is nothing to close

	upstream   *upstream.Client
	pages      *web.Pages
	identity   *identity.Identity
	control    *authority.Control
	lookout    *authority.Watch
	admin      *admin.Admin
	consent    *consent.Consent
	clients    *client.Clients
	oauth      *oauth.OAuth
	status     *status.Status
	device     *device.Device
	gateway    *gateway.Gateway
	server     *server.Server
	openRouter *openrouter.Door
	stopping   <-chan struct{} // closed when serving is to end
	profiled   func() error    // ends the profile, if there is one
	floor      []byte          // see heapFloor
}

func now() time.Time { return time.Now() }

func newID() string { return uuid.Must(uuid.NewV7()).String() }

// open wires the parts in the order in which they need each other. Everything durable is in order before the first
// connection is taken: the port is opened early to know its number, and served last.
func open(ctx context.Context, cfg config, env map[string]string, log *slog.Logger) (_ *broker, err error) {
	b := &broker{cfg: cfg, log: log, stopping: ctx.Done()}
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	if b.profiled, err = profile(cfg.profile); err != nil {
		return nil, err
	}
	if b.lock, err = cfg.place().lock(); err != nil {
		return nil, err
	}
	if b.listener, err = listen(cfg.listen); err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(b.listener.Addr().String())
	b.public = cfg.base(port)
	if err := cfg.ownBase(b.public, b.listener.Addr()); err != nil {
		return nil, err
	}
	if b.store, err = cfg.place().open(ctx, log); err != nil {
		return nil, err
	}
	if err := b.recover(ctx); err != nil {
		return nil, err
	}
	if err := b.openGuards(ctx, env); err != nil {
		return nil, err
	}
	if err := b.openPlanes(ctx); err != nil {
		return nil, err
	}
	if err := b.watch(ctx); err != nil {
		return nil, err
	}
	b.server = server.New(server.Config{
		Routes: b.routes(), DialectOf: b.gateway.DialectOf, NotFoundPage: b.notFound, Log: log, LogCalls: cfg.logCalls, Now: now, NewID: newID,
		ReadHeaderTimeout: cfg.readHeaderTimeout, BodyTimeout: cfg.bodyTimeout, BehindProxy: cfg.behindProxy, TLS: cfg.tls.config(log), MaxConns: maxConns,
	})
	b.floor = make([]byte, heapFloor)
	return b, nil
}

// recover charges the calls whose outcome an earlier run did not live to see. Before listening, so that no call can be
// made against money that may be spent.
func (b *broker) recover(ctx context.Context) error {
	n, sum, err := b.store.ChargeOrphans(ctx, now())
	if err != nil {
		return fmt.Errorf("charge the calls of an earlier run: %w", err)
	}
	if n > 0 {
		b.log.Warn("charged calls whose outcome was lost", "calls", n, "micro_usd", int64(sum))
	}
	return nil
}

func (b *broker) openGuards(ctx context.Context, env map[string]string) error {
	box, err := seal.Open(b.cfg.kekFile)
	if err != nil {
		return fmt.Errorf("AIPASSPORT_KEK_FILE: %w", err)
	}
	b.box = box
	if err := b.openRoster(ctx); err != nil {
		return err
	}
	if b.vault, err = vault.New(ctx, vault.Config{
		Sealed: b.store, Box: box, Env: env, Named: b.cfg.providerKeys, Known: b.takesKey, Keyless: b.keyless, Now: now, NewID: newID}); err != nil {
		return fmt.Errorf("provider keys: %w", err)
	}
	b.repeats = &repeat.Keeper{Store: b.store, Box: box, Now: now}
	b.tokens, err = token.New(ctx, token.Config{
		Store: b.store, Box: box, Issuer: b.public.String(), Audience: b.public.String(), TTL: b.cfg.tokenTTL,
		HMACSecret: b.cfg.jwtSecret, Now: now, NewID: newID,
	})
	if err != nil {
		return fmt.Errorf("signing keys: %w", err)
	}
	if err := b.tokens.RotateIfDue(ctx); err != nil {
		return fmt.Errorf("signing keys: %w", err)
	}
	b.board = recall.New(now)
	rates, err := b.openRates(ctx)
	if err != nil {
		return err
	}
	b.lookout = &authority.Watch{Store: b.store, Now: now}
	b.meter, err = meter.New(meter.Config{
		Ledger: b.store, Rates: rates, Tariff: b.prices, Now: now, NewID: newID, MaxInFlight: maxInFlight, CutCostsHold: b.cfg.cutCostsHold,
		OnSettled: b.lookout.Spent,
		OnFreeze: func(g passport.GrantID) {
			n := b.board.End(g, problem.New(problem.GrantPaused, "the grant was frozen: a bill was above its worst case"))
			b.log.Error("a provider billed above the worst case of a call: the grant is frozen", "grant", string(g), "cut", n)
		},
		OnTellError: func(err error) { b.log.Warn("an app that has no money left was not told of", "error", err.Error()) },
		OnSettleError: func(err error) {
			b.log.Error("a settle was lost: its hold is charged in full at the next start", "error", err.Error())
		},
	})
	return err
}

func (b *broker) openPlanes(ctx context.Context) (err error) {
	cfg := b.cfg
	b.upstream = upstream.New(upstream.Config{
		Bases: cfg.bases, Added: b.placeOf, HeaderTimeout: cfg.headerTimeout, IdleTimeout: cfg.idleTimeout, UserAgent: "aipassport/" + version})
	b.gateway = gateway.New(gateway.Config{
		Public: b.public.String(),
		Tokens: b.tokens, Grants: b.store, Meter: b.meter, Tariff: b.prices, Board: b.board, Vault: b.vault, Upstream: b.upstream, Repeats: b.repeats, Now: now,
		OnKeepError: func(err error) { b.log.Error("an answer was not kept", "error", err.Error()) },
		OnMarkError: func(err error) {
			b.log.Error("that a provider refuses or takes a key was not noted", "error", err.Error())
		},
		OpenAI: openai.New(), Anthropic: anthropic.New(), Google: gemini.New(), Compatible: b.compatible,
		Charge5xx: cfg.charge5xx,
		MaxBody:   cfg.maxBody, MaxBodies: max(maxBodies, cfg.maxBody), BodyTimeout: cfg.bodyTimeout, WriteTimeout: cfg.bodyTimeout,
	})
	b.control = &authority.Control{
		Store: b.store, Ceilings: b.store, SDKKeys: b.store, Family: b.store, Recall: b.board, Now: now, NewID: newID, PendingTTL: pendingTTL, Defaults: ownerDefaults, FreshAbove: cfg.freshAbove,
		Elsewhere: b.elsewhere(), Heard: b.heard()}
	b.pages, err = web.New(web.Options{
		PublicURL: b.public.String(), Log: b.log,
		RequestID: func(r *http.Request) string { return record.From(r.Context()).ID },
	})
	if err != nil {
		return fmt.Errorf("pages: %w", err)
	}
	issuer, err := b.issuer()
	if err != nil {
		return fmt.Errorf("AIPASSPORT_OIDC_ISSUER: %w", err)
	}
	b.identity, err = identity.New(identity.Config{
		Store: b.store, Pages: b.pages, PublicURL: b.public.String(), OwnerToken: cfg.ownerToken, Box: b.box, Issuer: issuer, IssuerAllowed: cfg.oidcAllowed, IssuerJoin: cfg.oidcJoin,
		Now: now, NewID: newID, ClientAddr: b.clientAddr})
	if err != nil {
		return fmt.Errorf("sign-in: %w", err)
	}
	if err := b.identity.OpenSetup(ctx); err != nil {
		return fmt.Errorf("sign-in: %w", err)
	}
	if err := b.openClients(); err != nil {
		return err
	}
	if err := b.openDoors(); err != nil {
		return err
	}
	if err := b.openOAuth(); err != nil {
		return err
	}
	return b.openPages()
}

func (b *broker) clientAddr(r *http.Request) netip.Addr {
	return server.ClientAddr(r, b.cfg.behindProxy)
}

func (b *broker) seedAPI() *seed.API {
	return &seed.API{
		Control: b.control, Tokens: b.tokens, Owner: b.identity, Providers: b.providers,
		Flood:      &flood.Limit{PerMinute: b.cfg.requestsPerMinute, Now: now},
		Issues:     &flood.Limit{PerMinute: maxTokens, Now: now},
		ClientAddr: b.clientAddr,
		ConsentURL: func(id passport.GrantID) string { return b.public.JoinPath("consent", string(id)).String() },
		Now:        now,
	}
}

// close ends what was opened, in reverse: settles that are queued are written before the database closes.
func (b *broker) close() {
	if b.listener != nil {
		b.listener.Close()
	}
	if b.tokens != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		b.writeUses(ctx)
	}
	if b.meter != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		b.meter.Close(ctx)
	}
	if b.upstream != nil {
		b.upstream.Close()
	}
	if b.closeRates != nil {
		b.closeRates()
	}
	if b.store != nil {
		if err := b.store.Close(); err != nil {
			b.log.Error("close the database", "error", err.Error())
		}
	}
	if b.lock != nil {
		b.lock.Close()
	}
}
