package admin

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/devrelopers/aipassport/authority"
	"github.com/devrelopers/aipassport/guard/vault"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
)

// mostUsers bounds how many apps are named that lose something.
const mostUsers = 5

// keyView is a provider key as pages show it.
type keyView struct {
	id                           passport.CredentialID
	Path, Provider, ProviderPath string
	Label, EnvName               string
	FromEnv, Used                bool
	Named                        bool // the provider is one that was added
	Added, Rotated               time.Time
	State                        badge
	Since                        time.Time // since when its provider refuses it
	Limit                        *ceilingView
	Apps                         string // how many use it
	users                        []string
	more                         bool   // there are more apps than were looked at
	next                         string // what is lent when it is removed; empty: nothing
	Found                        []authority.Found
	Asked                        bool // for Found, lately
	AskedAt                      time.Time
	Priced                       int
}

// keyPage is the page of one key.
type keyPage struct {
	Key    keyView
	Month  string
	Next   time.Time // when the next month begins
	In     string    // what stands in the field of the limit, in dollars
	Errors web.FieldErrors
}

func keyPath(id passport.CredentialID) string { return "/keys/" + url.PathEscape(string(id)) }

// KeyPage answers GET /keys/{id}.
func (a *Admin) KeyPage(w http.ResponseWriter, r *http.Request) {
	v, ok := a.look(w, r)
	if !ok {
		return
	}
	a.showKey(w, r, v, "", nil)
}

// showKey shows a key, with a limit as it was typed and with what is wrong.
func (a *Admin) showKey(w http.ResponseWriter, r *http.Request, v web.Visitor, in string, errs web.FieldErrors) {
	k, err := a.findKey(r.Context(), v, keyID(r))
	if err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	month := passport.MonthOf(a.cfg.Now())
	d := keyPage{Key: k, Month: month.Begins().Format("January"), Next: month.Ends(), In: in, Errors: errs}
	if k.Limit != nil {
		k.Limit.Bar.Big = true
		d.In = orElse(in, dollars(k.Limit.Cap))
	}
	title, status := k.Provider+", "+k.title(), http.StatusOK
	if len(errs) > 0 {
		title, status = "There is a problem: "+title, http.StatusUnprocessableEntity
	}
	a.render(w, r, status, "key", web.Page{Title: title, Nav: "Keys", Visitor: v, D: d})
}

func (k keyView) title() string {
	if k.FromEnv {
		return "from the environment"
	}
	return k.Label
}

// keys are all of the visitor's keys, with their limits, what they reach and who uses them.
func (a *Admin) keys(ctx context.Context, v web.Visitor) ([]keyView, error) {
	list, err := a.cfg.Keys.List(ctx, v.Payer())
	if err != nil || len(list) == 0 {
		return nil, err
	}
	limits, err := a.cfg.Ceilings.CeilingsNow(ctx, v.Payer())
	if err != nil {
		return nil, err
	}
	users, more, err := a.users(ctx, v)
	if err != nil {
		return nil, err
	}
	out := make([]keyView, len(list))
	for i, e := range list {
		k := a.key(e)
		if at := slices.IndexFunc(limits, func(c passport.Ceiling) bool { return c.ID == passport.CredentialCeiling(k.id) }); at >= 0 {
			c := ceilingOf(limits[at])
			k.Limit = &c
		}
		if e.Used {
			k.users, k.more = users[e.Credential.Provider], more
		}
		k.Apps = appsUse(len(k.users), k.more)
		k.next = after(list, e)
		out[i] = k
	}
	return out, nil
}

// after says which key is lent once one is removed; empty: none.
func after(list []vault.Entry, gone vault.Entry) string {
	var best *vault.Entry
	for i, e := range list {
		if e.Credential.Provider != gone.Credential.Provider || e.Credential.ID == gone.Credential.ID {
			continue
		}
		if best == nil || best.FromEnv || !e.FromEnv && best.Credential.Before(e.Credential) {
			best = &list[i]
		}
	}
	switch {
	case best == nil:
		return ""
	case best.FromEnv:
		return "the key from the environment"
	default:
		return "your key “" + best.Credential.Label + "”"
	}
}

func appsUse(n int, more bool) string {
	switch {
	case n == 0:
		return "No app uses it"
	case more:
		return "More than " + web.Count(int64(n), "app uses it", "apps use it")
	default:
		return web.Count(int64(n), "app uses it", "apps use it")
	}
}

// users are the visitor's apps that may call each provider now, by their addresses; more says that there may be others.
func (a *Admin) users(ctx context.Context, v web.Visitor) (by map[passport.Provider][]string, more bool, err error) {
	by = map[passport.Provider][]string{}
	var before time.Time
	for read := 0; read < mostRead; read += batch {
		list, err := a.cfg.Grants(v.Payer()).Standings(ctx, before, batch)
		if err != nil {
			return nil, false, err
		}
		for _, s := range list {
			before = s.Grant.CreatedAt
			g := s.Grant.At(a.cfg.Now())
			if g.State != passport.GrantActive && g.State != passport.GrantPaused {
				continue
			}
			for _, d := range g.Details {
				by[d.Provider] = append(by[d.Provider], a.app(s).Label)
			}
		}
		if len(list) < batch {
			return by, false, nil
		}
	}
	return by, true, nil
}

// loss says which apps lose what when a key is removed.
func (k keyView) loss() string {
	switch {
	case !k.Used:
		return "No app uses it, so none loses anything."
	case k.next != "":
		return "From then on apps use " + k.next + "."
	case len(k.users) == 0:
		return "No app uses it now. One that asks for " + k.Provider + " later gets an error, not a charge."
	}
	names, rest := k.users[:min(len(k.users), mostUsers)], ""
	if n := len(k.users) - len(names); n > 0 || k.more {
		rest = " and others"
	}
	verb := "lose"
	if len(k.users) == 1 {
		verb = "loses"
	}
	return strings.Join(names, ", ") + rest + " " + verb + " " + k.Provider + ": calls get an error, not a charge."
}

func (a *Admin) key(e vault.Entry) keyView {
	c := e.Credential
	k := keyView{id: c.ID, Path: keyPath(c.ID), Provider: a.cfg.Titles(c.Provider), ProviderPath: providerPath(c.Provider), Named: c.Provider.Named(), Label: c.Label,
		EnvName: e.EnvName, FromEnv: e.FromEnv, Added: c.CreatedAt, Rotated: c.RotatedAt, Used: e.Used, Since: c.RefusedAt}
	k.Found, k.AskedAt, k.Asked = a.cfg.Keys.Models(c.ID)
	for _, f := range k.Found {
		if f.Priced {
			k.Priced++
		}
	}
	tested := "tested " + web.Ago(c.TestedAt, a.cfg.Now())
	_, status, _ := strings.Cut(c.TestError, "(")
	if status != "" {
		status = " (" + status
	}
	switch {
	case !c.RefusedAt.IsZero() && c.Refused():
		k.State = badge{"err-b", "alert", "Refused by " + k.Provider + status}
	case !c.RefusedAt.IsZero():
		k.State = badge{"err-b", "alert", "Refused by " + k.Provider}
	case c.TestedAt.IsZero():
		k.State = badge{"", "info", "Not tested"}
	case c.TestError == "":
		k.State = badge{"ok", "check", "Works, " + tested}
	case status != "":
		k.State = badge{"warn", "alert", k.Provider + " answered with an error" + status + ", " + tested}
	default:
		k.State = badge{"warn", "alert", "Not reached, " + tested}
	}
	return k
}
