package consent

import (
	"net/http"
	"slices"
	"time"

	"github.com/devrelopers/aipassport/internal/names"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
)

// done is what a request that has its answer shows.
type done struct {
	Stamp, Class, ID string
	At               time.Time
	Title, Text      string
	Models           string // what it may use, as a list; empty: see Text
	Until            time.Time
	Link, LinkText   string
	Goes             bool   // it goes on by itself
	Also, AlsoText   string // a second link; empty: none
}

// answered shows a request that is no longer open. Looking again changes nothing, so a reload is harmless.
func (c *Consent) answered(w http.ResponseWriter, r *http.Request, v web.Visitor, g passport.Grant) {
	d := done{ID: string(g.ID), Link: "/grants/" + string(g.ID), LinkText: "See or end what you gave"}
	title, status := "", http.StatusOK
	switch g.State {
	case passport.GrantActive, passport.GrantPaused:
		title = "Approved"
		d.given(g)
	case passport.GrantExtended:
		title = "Added"
		d.added(g)
	case passport.GrantDenied:
		title = "Denied"
		d.Stamp, d.Class, d.Title = "Denied", "grey", "Denied. Nothing was given"
		d.Text = "The app got no access and spent nothing. It was told no more than that. You can close this page."
		d.Link, d.LinkText = "/", "Go to your apps"
		if g.Extends != "" {
			d.Title, d.Text = "Kept as it is", "The app got nothing more. What you gave before goes on as it was. You can close this page."
		}
	case passport.GrantRevoked:
		title = "Revoked"
		d.Stamp, d.Class, d.At, d.Title = "Revoked", "bad", g.RevokedAt, "This access was revoked"
		d.Text = "Nothing more can be spent by it. The app can ask again."
		d.LinkText = "See what it had used"
	default:
		title, status = "Request expired", http.StatusGone
		d.Stamp, d.Class, d.At, d.Title = "Expired", "grey", g.ExpiresAt, "This request is no longer open"
		d.Text = "Its time is over. Go back to the app and start again there. If you did not start anything, you need not do anything."
		d.Link, d.LinkText = "/", "Go to your apps"
	}
	page := web.Page{Title: title, Visitor: v}
	if c.cfg.Doors != nil {
		if next, link, ok := c.cfg.Doors.Answer(r, g); ok {
			if g.State == passport.GrantActive || g.State == passport.GrantExtended {
				d.Also, d.AlsoText = d.Link, "See or change what you gave"
			}
			d.Link, d.LinkText = next, "Go back to the app"
			if d.Goes = !link; d.Goes {
				page.Next = next
			}
		}
	}
	page.D = d
	c.cfg.Pages.Render(w, r, status, "done", page)
}

// added tells of a grant that was raised, in the numbers that held then.
func (d *done) added(g passport.Grant) {
	var money passport.Money
	for _, x := range g.Details {
		money += x.Cap()
	}
	d.Stamp, d.At, d.Title = "Added", g.ApprovedAt, "It may now spend up to "+web.USD(money)
	d.Text, d.Link = "Go back to the app: it goes on by itself.", "/grants/"+string(g.Extends)
}

// given tells what the person gave, in the numbers that now hold.
func (d *done) given(g passport.Grant) {
	var money passport.Money
	anyModel := false
	var models []string
	for _, x := range g.Details {
		money += x.Cap()
		anyModel = anyModel || len(x.Models) == 0
		for _, m := range x.Models {
			if names.ModelName(m) && !slices.Contains(models, m) {
				models = append(models, m)
			}
		}
	}
	d.Stamp, d.At, d.Until = "Approved", g.ApprovedAt, g.ExpiresAt
	d.Title = "You gave up to " + web.USD(money)
	d.Text = "Go back to the app: it goes on by itself. You can pause or end this under Apps at any moment."
	if !anyModel && len(models) <= 4 {
		d.Models = join(models, "and")
	}
}
