package admin

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
)

// noticeView is what is worth knowing, until the person has seen it.
type noticeView struct {
	ID, Class, Title, Note string
	At                     time.Time
	Path, Label            string // what it is about, and where to look at it
}

// notices reads what a person is to see: the newest, and whether there are more.
func (a *Admin) notices(ctx context.Context, v web.Visitor, d *appsView) error {
	list, err := a.cfg.Notices.Notices(ctx, v.Payer(), passport.MostNotices+1)
	if d.MoreNotices = len(list) > passport.MostNotices; d.MoreNotices {
		list = list[:passport.MostNotices]
	}
	if err != nil {
		return err
	}
	for _, n := range list {
		x := noticeView{ID: string(n.ID), Class: "warn", Title: eventTitle(n.Kind), Note: n.Note, At: n.At, Path: "/keys", Label: "your keys"}
		switch n.Kind {
		case passport.GrantFirstUsed:
			x.Class = "info"
		case passport.GrantSpent, passport.GrantCallsSpent, passport.CredentialRefused:
			x.Class = "err-b"
		}
		if passport.Noticed(n.Kind) {
			s, err := a.cfg.Grants(v.Payer()).Standing(ctx, passport.GrantID(n.Subject))
			if problem.KindOf(err) == problem.NotFound {
				continue
			}
			if err != nil {
				return err
			}
			x.Path, x.Label = grantPath(s.Grant.ID), a.app(s).Label
		}
		d.Notices = append(d.Notices, x)
		if at := strconv.FormatInt(n.At.UnixMicro(), 10); d.SeenUpTo == "" {
			d.SeenUpTo = at
		}
	}
	return nil
}

// Dismiss answers POST /notices/dismiss: one, or all that the page had.
func (a *Admin) Dismiss(w http.ResponseWriter, r *http.Request) {
	v, ok := a.act(w, r)
	if !ok {
		return
	}
	id, upTo := passport.EventID(r.PostForm.Get("id")), time.Time{}
	micros, err := strconv.ParseInt(r.PostForm.Get("upTo"), 10, 64)
	switch {
	case id != "" && len(id) <= 200:
	case id == "" && err == nil && micros > 0:
		upTo = time.UnixMicro(micros)
	default:
		a.cfg.Pages.Error(w, r, v, problem.New(problem.Invalid, "the form does not say what was seen").In("id"))
		return
	}
	if err := a.cfg.Notices.Dismiss(r.Context(), v.Payer(), id, upTo); err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	a.cfg.Pages.Say(w, "seen", 0)
	a.cfg.Pages.Redirect(w, r, "/")
}

// Notices are what a person is to see until they have seen it.
type Notices interface {
	// Notices lists a person's, newest first, at most limit.
	Notices(ctx context.Context, payer passport.Payer, limit int) ([]passport.Notice, error)
	// Dismiss takes one of a person's away; without an id, all up to a time.
	Dismiss(ctx context.Context, payer passport.Payer, id passport.EventID, upTo time.Time) error
}
