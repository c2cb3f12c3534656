// Package admin is the owner's pages: which apps may spend, what they spent, the provider keys, and the switches that end, pause
// and stop. It decides nothing: it reads, asks the control of grants, and tells what happened. It may not touch providers.
package admin

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"time"

	"github.com/devrelopers/aipassport/authority"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
)

// Grants is the control of one person's grants: what is another's is not there.
type Grants interface {
	// Standing reads a grant as it stands now. Error: NotFound.
	Standing(ctx context.Context, id passport.GrantID) (passport.Standing, error)
	// Standings lists grants, newest first, at most limit, created before a time (zero: all).
	Standings(ctx context.Context, before time.Time, limit int) ([]passport.Standing, error)
	// Pause, Resume and Revoke change one grant; Pause and Revoke say how many calls they ended. Errors: NotFound, Conflict.
	Pause(ctx context.Context, id passport.GrantID, actor string) (passport.Grant, int, error)
	Resume(ctx context.Context, id passport.GrantID, actor string) (passport.Grant, error)
	Revoke(ctx context.Context, id passport.GrantID, actor string) (passport.Grant, int, error)
	// KeepAnswers lets answers of a grant be kept for a day, or ends that. Errors: NotFound, Conflict.
	KeepAnswers(ctx context.Context, id passport.GrantID, keep bool, actor string) (passport.Grant, error)
	// Adjust sets other limits and another end. Errors: NotFound; Conflict, Invalid as passport.Grant.Adjust has them; SignInStale.
	Adjust(ctx context.Context, id passport.GrantID, a passport.Adjustment, actor string) (passport.Grant, error)
	// Children lists what a grant was passed on to, newest first.
	Children(ctx context.Context, parent passport.GrantID) ([]passport.Standing, error)
	// EndAll pauses or revokes all of them; it says how many apps and running calls it ended.
	EndAll(ctx context.Context, to passport.GrantState, actor string) (apps, calls int, err error)
	// StopOwn stops all apps of this person, those that they give later too; it says how many running calls it ended. RunOwn lets them run again.
	StopOwn(ctx context.Context, actor string) (calls int, err error)
	RunOwn(ctx context.Context, actor string) error
	SDKKeys
}

// StopAll stops all apps at once, and lets them run again. Stop says how many calls it ended.
type StopAll interface {
	Stop(ctx context.Context, actor string) (int, error)
	ResumeAll(ctx context.Context, actor string) error
}

// History is what was spent.
type History interface {
	// Reservations lists the calls of a grant, newest first, at most limit, before an id (empty: the newest).
	Reservations(ctx context.Context, g passport.GrantID, before passport.ReservationID, limit int) ([]passport.Reservation, error)
	// EventsOf lists what happened to a grant besides its calls and tokens, newest first, at most limit.
	EventsOf(ctx context.Context, g passport.GrantID, limit int) ([]passport.Event, error)
	// Activity lists what happened besides calls and tokens, newest first, at most limit: to one grant, or (none) all that a person, who is a payer, sees, of what is
	// numbered below before (0: all). next is the number to go on from, even where nothing was found; 0: there is no more.
	Activity(ctx context.Context, of passport.PersonID, payer passport.Payer, g passport.GrantID, before int64, limit int) (list []passport.Event, next int64, err error)
	// LastCalls tells when each of some grants made its last call; one that made none is not in it.
	LastCalls(ctx context.Context, of []passport.GrantID) (map[passport.GrantID]time.Time, error)
	// Marks lists what a grant had spent, in the order of time, at most passport.MostMarks.
	Marks(ctx context.Context, g passport.GrantID) ([]passport.Mark, error)
	// Stops says since when all apps are stopped, and those of a person.
	Stops(ctx context.Context, of passport.Payer) (passport.Stops, error)
	// MemberSums is what each member has: apps that can be used at now, and the calls made since a time.
	MemberSums(ctx context.Context, since, now time.Time) (map[passport.Payer]passport.MemberSum, error)
	// Totals sums the grants of one person: settled since a time, held now, calls since that time.
	Totals(ctx context.Context, of passport.Payer, since time.Time) (settled, held passport.Money, calls int64, err error)
	// SpentSince sums the calls of one person's grants that were made since a time, the newest stretch first: one for each stretch (a whole hour or a whole day),
	// grant, provider and model, at most limit.
	SpentSince(ctx context.Context, of passport.Payer, since time.Time, every time.Duration, limit int) ([]passport.Spent, error)
}

// People says who is signed in with a browser. Error: Unauthenticated if nobody is.
type People interface {
	Visitor(r *http.Request) (web.Visitor, error)
	// Fresh says whether they proved a moment ago who they are.
	Fresh(r *http.Request) bool
	// Again sends the browser to do that, and then back to a path, for which what was posted is kept.
	Again(w http.ResponseWriter, r *http.Request, v web.Visitor, path string)
	// Kept is what was kept for a path, once.
	Kept(w http.ResponseWriter, r *http.Request, v web.Visitor, path string) (form url.Values, ok bool)
}

// Config is what the pages need: all of it, but for what may be nil.
type Config struct {
	Pages      *web.Pages
	People     People
	Grants     func(passport.Payer) Grants
	StopAll    StopAll
	History    History
	Notices    Notices
	Keys       Keys
	KeyMaker   KeyMaker
	Bearers    Bearers
	Passkeys   Passkeys
	Sessions   Sessions
	Identities Identities
	Members    Members
	Invites    Invites
	Ceilings   Ceilings
	Webhook    Webhook
	Clients    Clients
	Providers  func() []passport.Provider     // whose keys can have a monthly limit
	Titles     func(passport.Provider) string // what a provider is called on a page
	TakesKey   func(passport.Provider) bool   // whether the owner can put a key in for it
	Roster     Roster                         // of added providers
	// Discover asks a provider for the models that its key can reach. Errors: as the provider's answer; CredentialMissing.
	Discover func(ctx context.Context, of passport.Payer, p passport.Provider) ([]authority.Found, error)
	Live     func(passport.GrantID) int // calls in flight
	// Elsewhere counts the calls in flight at other instances; nil: there are none.
	Elsewhere func(ctx context.Context) (map[passport.GrantID]int, error)
	Stopping  <-chan struct{} // closed when the broker stops: pages that move end then; nil: never
	Now       func() time.Time
}

// Admin serves the pages. Use New.
type Admin struct {
	cfg     Config
	looking looking
	months  months
}

// New checks that nothing is missing.
func New(cfg Config) (*Admin, error) {
	if cfg.Pages == nil || cfg.People == nil || cfg.Grants == nil || cfg.StopAll == nil || cfg.History == nil || cfg.Notices == nil || cfg.Keys == nil || cfg.KeyMaker == nil || cfg.Bearers == nil || cfg.Passkeys == nil || cfg.Members == nil || cfg.Invites == nil || cfg.Sessions == nil || cfg.Identities == nil ||
		cfg.Ceilings == nil || cfg.Webhook == nil || cfg.Clients == nil || cfg.Providers == nil || cfg.Titles == nil || cfg.TakesKey == nil || cfg.Roster == nil || cfg.Discover == nil || cfg.Live == nil || cfg.Now == nil {
		return nil, errors.New("admin needs pages, people, grants, stop, history, notices, keys, a maker of SDK keys, bearers, passkeys, sessions, members, invitations, ceilings, a webhook, clients, providers, live calls and a clock")
	}
	return &Admin{cfg: cfg}, nil
}

// Routes are the handlers by pattern. Where the seed's API has the same pattern, these are for browsers.
func (a *Admin) Routes() map[string]http.HandlerFunc {
	all := a.routes()
	maps.Copy(all, a.peopleRoutes())
	for pattern, h := range all {
		if !own[pattern] {
			all[pattern] = a.ownersOnly(h)
		}
	}
	return all
}

func (a *Admin) routes() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"GET /{$}":                       a.Apps,
		"GET /grants":                    a.Apps,
		"GET /live":                      a.Live,
		"GET /activity":                  a.Activity,
		"GET /activity.json":             a.ActivityJSON,
		"GET /grants/{id}":               a.Grant,
		"GET /grants/{id}/plot":          a.GrantPlot,
		"POST /grants/{id}/pause":        a.Pause,
		"GET /grants/{id}/resume":        a.AskResume,
		"POST /grants/{id}/resume":       a.Resume,
		"GET /grants/{id}/revoke":        a.AskRevoke,
		"POST /grants/{id}/revoke":       a.Revoke,
		"POST /notices/dismiss":          a.Dismiss,
		"POST /stop":                     a.Stop,
		"GET /resume":                    a.AskRun,
		"POST /resume":                   a.Run,
		"POST /owner-tokens/{id}/revoke": a.EndBearer,
		"GET /keys":                      a.KeysPage,
		"POST /keys":                     a.AddKey,
		"POST /keys/{id}/test":           a.TestKey,
		"GET /keys/{id}":                 a.KeyPage,
		"POST /keys/{id}/rename":         a.RenameKey, "POST /keys/{id}/rotate": a.RotateKey,
		"POST /keys/{id}/default":       a.ChooseKey,
		"POST /keys/{id}/limit":         a.SetKeyLimit,
		"GET /keys/{id}/remove":         a.AskRemoveKey,
		"POST /keys/{id}/remove":        a.RemoveKey,
		"GET /providers":                a.ProvidersPage,
		"POST /providers":               a.AddProvider,
		"GET /providers/{name}":         a.Provider,
		"POST /providers/{name}":        a.ChangeProvider,
		"POST /providers/{name}/models": a.ListModels,
		"GET /providers/{name}/remove":  a.AskRemoveProvider,
		"POST /providers/{name}/remove": a.RemoveProvider,
		"GET /limits":                   a.Limits,
		"GET /usage":                    a.Usage,
		"GET /usage/plot":               a.UsagePlot,
		"GET /usage.csv":                a.UsageCSV,
		"GET /usage.json":               a.UsageJSON,
		"POST /limits/{name}":           a.SetLimit,
		"POST /grants/{id}/answers":     a.KeepAnswers,
		"POST /grants/{id}/limits":      a.Adjust,

		"GET /grants/{id}/keys":                   a.Keys,
		"POST /grants/{id}/keys":                  a.MakeKey,
		"POST /grants/{id}/tokens/{token}/revoke": a.RevokeToken,
		"GET /grants/{id}/keys/{key}/revoke":      a.AskRevokeKey,
		"POST /grants/{id}/keys/{key}/revoke":     a.RevokeKey,

		"GET /clients":              a.ClientsPage,
		"POST /clients":             a.AddClient,
		"POST /clients/{id}/secret": a.ClientSecret,
		"GET /clients/{id}/remove":  a.AskRemoveClient,
		"POST /clients/{id}/remove": a.RemoveClient,

		"GET /settings":          a.Settings,
		"POST /settings/webhook": a.SetWebhook,
	}
}

// look finds out who looks. Whoever is not signed in is sent to do so first, and then back.
func (a *Admin) look(w http.ResponseWriter, r *http.Request) (web.Visitor, bool) {
	v, err := a.cfg.People.Visitor(r)
	if err == nil {
		return v, true
	}
	if problem.KindOf(err) == problem.Unauthenticated {
		to := "/login"
		if r.Method == http.MethodGet && r.URL.Path != "/" {
			to += "?next=" + url.QueryEscape(r.URL.EscapedPath())
		}
		a.cfg.Pages.Redirect(w, r, to)
		return v, false
	}
	a.cfg.Pages.Error(w, r, v, err)
	return v, false
}

// act finds out who acts, and takes only forms of our own pages.
func (a *Admin) act(w http.ResponseWriter, r *http.Request) (web.Visitor, bool) {
	v, ok := a.look(w, r)
	if !ok {
		return v, false
	}
	if err := a.cfg.Pages.Posted(w, r, v); err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return v, false
	}
	return v, true
}

// render adds what every page of the owner has: tabs, the notice that all is stopped, what was just done.
func (a *Admin) render(w http.ResponseWriter, r *http.Request, status int, page string, p web.Page) {
	stops, err := a.cfg.History.Stops(r.Context(), p.Visitor.Payer())
	if err != nil {
		a.cfg.Pages.Error(w, r, p.Visitor, err)
		return
	}
	p.Stopped, p.StoppedOwn = stops.All, stops.Own
	if p.Said == "" {
		p.Said = said(a.cfg.Pages.Said(w, r))
	}
	a.cfg.Pages.Render(w, r, status, page, p)
}

// said is what was just done, with numbers, from a closed set of words.
func said(word string, n int) string {
	ended := web.Count(int64(n), "running call ended", "running calls ended") + "."
	if n == 0 {
		ended = "no call was running."
	}
	switch word {
	case "welcome":
		return "You are the owner. Now add a provider key: without one, apps get an error and nothing is spent."
	case "revoked":
		return "Revoked: " + ended + " Nothing more can be spent by this app."
	case "paused":
		return "Paused: " + ended + " Its tokens stay valid and wait."
	case "resumed":
		return "Resumed: it goes on with the limits it had."
	case "seen":
		return "Gone from this page. What happened stays on the app's own page."
	case "stopped":
		return "All apps stopped: " + ended + " Nothing more can be spent."
	case "running":
		return "Apps run again, each with the limits it had."
	case "sdk-key-revoked":
		return "The key is revoked: " + ended + " The app's access and its other keys go on."
	case "token-ended":
		return "The token has ended: " + ended + " The app's access goes on, and it can ask for another."
	case "provider-added":
		return "The provider is there. Put its key in under Keys, unless it needs none."
	case "provider-changed":
		return "Kept. It holds for calls that begin now."
	case "provider-removed":
		return "Removed, with its prices and its keys. Apps that were given it get an error, not a charge."
	case "client-removed":
		return "The app is removed, and all access that you gave it has ended."
	case "adjusted":
		return "Its limits are changed. They hold for calls that begin now."
	case "answers-kept":
		return "From now on answers are kept for a day, sealed. A call that is sent again gets the first one's."
	case "answers-gone":
		return "Answers are not kept any more. Those that were are gone."
	case "hook-test":
		return "A test is on its way. Load this page again to see how it went."
	case "bearer-ended":
		return "Ended. It can do nothing any more."
	case "hook-removed":
		return "The webhook is removed, and what waited for it."
	case "limit-set":
		return "The limit holds from now on. What this month has cost already counts."
	case "limit-removed":
		return "The limit is removed. What each app may spend still holds."
	default:
		return cmp.Or(saidOfKeys(word), saidOfPasskeys(word), saidOfSessions(word, n), saidOfPeople(word, ended))
	}
}

func actor(v web.Visitor) string { return "owner:" + string(v.ID) }
