package admin

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
)

// Members are the people whom the owner has invited. Member finds no one but them. Errors: NotFound; of Forget Conflict, if they are not suspended.
type Members interface {
	Member(ctx context.Context, id passport.PersonID) (passport.Person, error)
	People(ctx context.Context) ([]passport.Person, error)
	Suspend(ctx context.Context, id passport.PersonID, actor string) error
	Restore(ctx context.Context, id passport.PersonID, actor string) error
	Forget(ctx context.Context, id passport.PersonID, actor string) error
	// ResetMember makes a link by which a member sets another password, which is returned this once. Errors: NotFound; Conflict if they are suspended.
	ResetMember(ctx context.Context, id passport.PersonID, actor string) (link string, until time.Time, err error)
}

// Invites are links by which members join.
type Invites interface {
	// Invite makes one, which is returned this once. Errors: Invalid in label; Conflict if there are as many as there may be.
	Invite(ctx context.Context, label, actor string) (link string, err error)
	Invitations(ctx context.Context) ([]passport.Invitation, error)
	// EndInvitation ends one. Error: NotFound.
	EndInvitation(ctx context.Context, id, actor string) error
}

// own are the pages and presses that each person has for what is theirs. All others are the owner's: of the whole broker.
var own = map[string]bool{
	"GET /{$}": true, "GET /grants": true, "GET /grants/{id}": true, "GET /live": true, "GET /activity": true, "GET /activity.json": true,
	"POST /grants/{id}/pause": true, "GET /grants/{id}/resume": true, "POST /grants/{id}/resume": true,
	"GET /grants/{id}/revoke": true, "POST /grants/{id}/revoke": true, "POST /grants/{id}/answers": true, "POST /grants/{id}/limits": true,
	"GET /grants/{id}/keys": true, "POST /grants/{id}/keys": true, "GET /grants/{id}/keys/{key}/revoke": true, "POST /grants/{id}/keys/{key}/revoke": true,
	"POST /stop": true, "GET /resume": true, "POST /resume": true, "POST /owner-tokens/{id}/revoke": true,
	"GET /keys": true, "POST /keys": true, "GET /keys/{id}": true, "POST /keys/{id}/rename": true, "POST /keys/{id}/rotate": true, "POST /keys/{id}/default": true, "POST /keys/{id}/limit": true, "POST /keys/{id}/test": true, "GET /keys/{id}/remove": true, "POST /keys/{id}/remove": true,
	"GET /usage": true, "GET /usage.csv": true, "GET /usage.json": true, "GET /usage/plot": true, "GET /grants/{id}/plot": true,
	"GET /limits": true, "POST /limits/{name}": true,
	"GET /settings": true, "POST /notices/dismiss": true, "POST /grants/{id}/tokens/{token}/revoke": true,
}

func (a *Admin) peopleRoutes() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"GET /people":                       a.People,
		"POST /people":                      a.Invite,
		"POST /people/invitations/{id}/end": a.EndInvitation,
		"GET /people/{id}/limit":            a.MemberLimit,
		"POST /people/{id}/limit":           a.LimitMember,
		"GET /people/{id}/suspend":          a.AskSuspend,
		"POST /people/{id}/suspend":         a.Suspend,
		"POST /people/{id}/restore":         a.Restore,
		"POST /people/{id}/reset":           a.ResetMember,
		"GET /people/{id}/remove":           a.AskRemove,
		"POST /people/{id}/remove":          a.Remove,
	}
}

// ownersOnly keeps everybody else out of a page, in the words of a page that is not there. Whoever is not signed in is sent to do so first.
func (a *Admin) ownersOnly(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, ok := a.look(w, r)
		if !ok {
			return
		}
		if !v.Role.May(passport.RunServer) {
			a.cfg.Pages.Error(w, r, v, problem.New(problem.NotFound, "There is no page at this address."))
			return
		}
		h(w, r)
	}
}

// peopleView is the page of people.
type peopleView struct {
	Month   string
	List    []personView
	Waiting []invitationView
	Link    string // shown once, right after it was made
	Reset   string // so is a link by which a member sets another password
	For     string // whom that is for
	Label   string // what stands in the field
	Error   string
	Full    bool
}

// personView is a person, and of a member the sums of their apps: nothing of single ones.
type personView struct {
	ID, Path, Name, Username string
	You                      bool
	Since, Suspended         time.Time
	Sum                      passport.MemberSum
	Limited                  bool
	Limit                    passport.Money // that holds a month, if Limited
	Apps, Calls              string
}

type invitationView struct {
	Path, Label string
	Made, Ends  time.Time
}

// People answers GET /people.
func (a *Admin) People(w http.ResponseWriter, r *http.Request) {
	if v, ok := a.look(w, r); ok {
		a.showPeople(w, r, v, peopleView{})
	}
}

func (a *Admin) showPeople(w http.ResponseWriter, r *http.Request, v web.Visitor, d peopleView) {
	err := a.people(r.Context(), v, &d)
	if err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	title, status := "People", http.StatusOK
	if d.Error != "" {
		title, status = "There is a problem: people", http.StatusUnprocessableEntity
	}
	a.render(w, r, status, "people", web.Page{Title: title, Nav: "Settings", Visitor: v, D: d})
}

func (a *Admin) people(ctx context.Context, v web.Visitor, d *peopleView) error {
	now := a.cfg.Now().UTC()
	d.Month = now.Format("January")
	list, err := a.cfg.Members.People(ctx)
	if err != nil {
		return err
	}
	sums, err := a.sumsOfMembers(ctx)
	if err != nil {
		return err
	}
	for _, p := range list {
		s := sums[p.Payer()]
		limit, limited := s.Limit.Get()
		d.List = append(d.List, personView{Limit: passport.Money(limit), Limited: limited, ID: string(p.ID), Path: memberPath(p.ID), Name: p.Name, Username: p.Username, You: p.ID == v.ID, Since: p.CreatedAt, Suspended: p.SuspendedAt,
			Sum: s, Apps: web.Count(s.Apps, "app", "apps"), Calls: web.Count(s.Calls, "call", "calls")})
	}
	d.Full = len(list) > passport.MaxPeople
	waiting, err := a.cfg.Invites.Invitations(ctx)
	for _, x := range waiting {
		d.Waiting = append(d.Waiting, invitationView{"/people/invitations/" + x.ID() + "/end", x.Label, x.CreatedAt, x.ExpiresAt})
	}
	return err
}

// sumsOfMembers is what each member has this month, UTC.
func (a *Admin) sumsOfMembers(ctx context.Context) (map[passport.Payer]passport.MemberSum, error) {
	now := a.cfg.Now().UTC()
	return a.cfg.History.MemberSums(ctx, passport.MonthOf(now).Begins(), now)
}

func memberPath(id passport.PersonID) string { return "/people/" + url.PathEscape(string(id)) }

// Invite answers POST /people: the page, with the link on it. It is in this answer and nowhere else.
func (a *Admin) Invite(w http.ResponseWriter, r *http.Request) {
	v, ok := a.act(w, r)
	if !ok {
		return
	}
	in := clip(strings.TrimSpace(r.PostForm.Get("label")), passport.MaxInviteLabel+1)
	link, err := a.cfg.Invites.Invite(r.Context(), in, actor(v))
	switch p := problem.From(err); {
	case err == nil:
		a.showPeople(w, r, v, peopleView{Link: link})
	case p.Kind == problem.Invalid && p.Field == "label":
		a.showPeople(w, r, v, peopleView{Label: in, Error: "Whom it is for " + p.Detail + "."})
	case p.Kind == problem.Conflict:
		a.showPeople(w, r, v, peopleView{Label: in, Error: strings.ToUpper(p.Detail[:1]) + p.Detail[1:] + "."})
	default:
		a.cfg.Pages.Error(w, r, v, err)
	}
}

// ResetMember answers POST /people/{id}/reset: the page, with the link on it. Whoever has it can become that member, so that it takes a fresh
// sign-in.
func (a *Admin) ResetMember(w http.ResponseWriter, r *http.Request) {
	v, ok := a.act(w, r)
	if !ok {
		return
	}
	if !a.cfg.People.Fresh(r) {
		a.cfg.Pages.Redirect(w, r, "/login?again=yes&next=/people")
		return
	}
	p, err := a.cfg.Members.Member(r.Context(), passport.PersonID(r.PathValue("id")))
	var link string
	if err == nil {
		link, _, err = a.cfg.Members.ResetMember(r.Context(), p.ID, actor(v))
	}
	if err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	a.showPeople(w, r, v, peopleView{Reset: link, For: p.Name})
}

// EndInvitation answers POST /people/invitations/{id}/end.
func (a *Admin) EndInvitation(w http.ResponseWriter, r *http.Request) {
	a.withPeople(w, r, "invitation-ended", func(v web.Visitor) (int, error) {
		return 0, a.cfg.Invites.EndInvitation(r.Context(), r.PathValue("id"), actor(v))
	})
}

// withPeople does one thing and goes back to the page of people.
func (a *Admin) withPeople(w http.ResponseWriter, r *http.Request, word string, do func(web.Visitor) (int, error)) {
	v, ok := a.act(w, r)
	if !ok {
		return
	}
	n, err := do(v)
	if err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	a.cfg.Pages.Say(w, word, n)
	a.cfg.Pages.Redirect(w, r, "/people")
}

// AskSuspend answers GET /people/{id}/suspend.
func (a *Admin) AskSuspend(w http.ResponseWriter, r *http.Request) {
	a.askAbout(w, r, func(p passport.Person, has string) question {
		return question{Title: "Suspend " + p.Name + "?", Text: "They are signed out everywhere and cannot sign in. " + has + " Running calls end within a second.",
			Hint: "Nothing is deleted. When you let them in again, their apps stay paused until they resume each.", Yes: "Suspend", No: "Leave it", Class: "bad fill",
			Action: memberPath(p.ID) + "/suspend", Back: "/people"}
	}, "is paused", "are paused")
}

// AskRemove answers GET /people/{id}/remove.
func (a *Admin) AskRemove(w http.ResponseWriter, r *http.Request) {
	a.askAbout(w, r, func(p passport.Person, has string) question {
		keys, err := a.cfg.Keys.List(r.Context(), p.Payer())
		text := "They are signed out everywhere. " + has + " Running calls end within a second."
		if err == nil {
			text += " " + web.Count(int64(len(keys)), "provider key of theirs is deleted.", "provider keys of theirs are deleted.")
		}
		return question{Title: "Remove " + p.Name + "?", Text: text + " This can't be undone.", Hint: "Their keys go on working at their providers. To come back, they need another invitation.",
			Yes: "Remove", No: "Keep them", Class: "bad fill", Action: memberPath(p.ID) + "/remove", Back: "/people"}
	}, "loses access for good", "lose access for good")
}

func (a *Admin) askAbout(w http.ResponseWriter, r *http.Request, about func(p passport.Person, has string) question, one, many string) {
	v, ok := a.look(w, r)
	if !ok {
		return
	}
	p, err := a.cfg.Members.Member(r.Context(), passport.PersonID(r.PathValue("id")))
	var sums map[passport.Payer]passport.MemberSum
	if err == nil {
		sums, err = a.sumsOfMembers(r.Context())
	}
	if err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	q := about(p, web.Count(sums[p.Payer()].Apps, "app of theirs "+one+".", "apps of theirs "+many+"."))
	a.render(w, r, http.StatusOK, "confirm", web.Page{Title: q.Title, Nav: "Settings", Visitor: v, D: q})
}

// Suspend answers POST /people/{id}/suspend.
func (a *Admin) Suspend(w http.ResponseWriter, r *http.Request) {
	a.withPeople(w, r, "suspended", func(v web.Visitor) (int, error) {
		return a.shutOut(r.Context(), passport.PersonID(r.PathValue("id")), passport.GrantPaused, actor(v))
	})
}

// Restore answers POST /people/{id}/restore.
func (a *Admin) Restore(w http.ResponseWriter, r *http.Request) {
	a.withPeople(w, r, "restored", func(v web.Visitor) (int, error) {
		return 0, a.cfg.Members.Restore(r.Context(), passport.PersonID(r.PathValue("id")), actor(v))
	})
}

// shutOut suspends a member and then ends their apps: from the first step on nothing can be given in their name, so the second finds all.
func (a *Admin) shutOut(ctx context.Context, id passport.PersonID, to passport.GrantState, actor string) (calls int, err error) {
	p, err := a.cfg.Members.Member(ctx, id)
	if err == nil {
		err = a.cfg.Members.Suspend(ctx, id, actor)
	}
	if err != nil {
		return 0, err
	}
	_, calls, err = a.cfg.Grants(p.Payer()).EndAll(ctx, to, actor)
	return calls, err
}

// Remove answers POST /people/{id}/remove. The order is the security property; who dies in between finds a suspended member, and removes them
// again.
func (a *Admin) Remove(w http.ResponseWriter, r *http.Request) {
	a.withPeople(w, r, "removed", func(v web.Visitor) (int, error) {
		ctx, id := r.Context(), passport.PersonID(r.PathValue("id"))
		// 1. Nobody can act as they any more. 2. No app of theirs can spend.
		calls, err := a.shutOut(ctx, id, passport.GrantRevoked, actor(v))
		if err != nil {
			return calls, err
		}
		// 3. Their keys are gone.
		of := passport.PayerOf(id, passport.RoleMember)
		keys, err := a.cfg.Keys.List(ctx, of)
		if err != nil {
			return calls, err
		}
		for _, k := range keys {
			if err := a.cfg.Keys.Remove(ctx, of, k.Credential.ID, actor(v)); err != nil && problem.KindOf(err) != problem.NotFound {
				return calls, err
			}
		}
		// 4. So are they.
		return calls, a.cfg.Members.Forget(ctx, id, actor(v))
	})
}

// saidOfPeople is what was just done with people.
func saidOfPeople(word string, ended string) string {
	switch word {
	case "joined":
		return "You are in. Now add a provider key of your own: apps that you give access use your keys, never those of others. Under Settings you can add a passkey."
	case "invitation-ended":
		return "The invitation does nothing any more."
	case "suspended":
		return "Suspended: " + ended + " They are signed out, and their apps are paused."
	case "restored":
		return "They can sign in again. Their apps stay paused until they resume them."
	case "removed":
		return "Removed: " + ended + " Their apps have no access any more, and their provider keys are deleted."
	case "member-limit-set":
		return "The limit holds from their next call on. What this month has cost them already counts."
	case "member-limit-removed":
		return "You limit them no more. What they have set for themselves still holds."
	case "stopped-own":
		return "All your apps are stopped: " + ended + " None of them can spend until you let them run again."
	case "running-own":
		return "Your apps run again, each with the limits it had. What you paused by itself stays paused."
	default:
		return ""
	}
}
