package device

import (
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/devrelopers/aipassport/internal/flood"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/record"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
)

// Tries at user codes, a minute (RFC 8628 §5.1). Each counts, so that a limit that is reached tells nothing of the code.
const (
	sessionTries = 10
	addressTries = 20
	allTries     = 60
)

// form is what the page shows.
type form struct {
	Code   string // as it was typed or came in the link
	Errors web.FieldErrors
}

// noDevice is one wording for every code that leads nowhere: unknown, expired, used, answered.
const noDevice = "No device is waiting with this code. Check the letters, or start again on the device."

// Routes are the page's handlers by pattern.
func (d *Device) Routes() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{"GET /device": d.Show, "POST /device": d.LookUp}
}

// Show answers GET /device. A code in the link is only filled in: what is pressed is the person's to press (RFC 8628 §3.3.1).
func (d *Device) Show(w http.ResponseWriter, r *http.Request) {
	code := r.URL.Query().Get("user_code")
	if _, good := readUserCode(code); !good {
		code = ""
	}
	v, err := d.cfg.People.Visitor(r)
	if problem.KindOf(err) == problem.Unauthenticated && err != nil {
		next := "/device"
		if code != "" {
			next += "?user_code=" + url.QueryEscape(code)
		}
		d.cfg.Pages.Redirect(w, r, "/login?next="+url.QueryEscape(next))
		return
	}
	if err != nil {
		d.cfg.Pages.Error(w, r, v, err)
		return
	}
	d.show(w, r, v, http.StatusOK, form{Code: code})
}

func (d *Device) show(w http.ResponseWriter, r *http.Request, v web.Visitor, status int, f form) {
	title := "Connect a device"
	if len(f.Errors) > 0 {
		title = "Error: connect a device"
	}
	d.cfg.Pages.Render(w, r, status, "device", web.Page{Title: title, Visitor: v, D: f})
}

// LookUp answers POST /device: it leads to the consent page of the device that shows the code.
func (d *Device) LookUp(w http.ResponseWriter, r *http.Request) {
	v, err := d.cfg.People.Visitor(r)
	if err == nil {
		err = d.cfg.Pages.Posted(w, r, v)
	}
	if err == nil {
		err = d.may(r, v)
	}
	if err != nil {
		d.cfg.Pages.Error(w, r, v, err)
		return
	}
	typed := r.PostForm.Get("user_code")
	g, err := d.waiting(r, typed)
	if err != nil {
		d.cfg.Pages.Error(w, r, v, err)
		return
	}
	if g == "" {
		d.show(w, r, v, http.StatusUnprocessableEntity, form{Code: typed[:min(len(typed), 20)], Errors: web.FieldErrors{{Field: "user_code", Text: noDevice}}})
		return
	}
	record.From(r.Context()).Grant = g
	d.cfg.Pages.Redirect(w, r, "/consent/"+url.PathEscape(string(g)))
}

// may counts a try. All tries count, before the code is looked at.
func (d *Device) may(r *http.Request, v web.Visitor) error {
	wait := d.session.Allow(v.Sign("device tries", ""))
	if wait == 0 {
		wait = d.address.Allow(flood.Network(d.cfg.ClientAddr(r)).String())
	}
	if wait > 0 {
		return problem.New(problem.RateExceeded, "too many codes were tried").After(wait)
	}
	return nil
}

// waiting is the grant that a device with a code waits for; empty: there is none that can be answered.
func (d *Device) waiting(r *http.Request, typed string) (passport.GrantID, error) {
	code, good := readUserCode(typed)
	if !good {
		return "", nil
	}
	dc, err := d.cfg.Shown.DeviceCodeOfUser(r.Context(), code)
	if err == nil && !dc.Used && d.cfg.Now().Before(dc.ExpiresAt) {
		s, err := d.cfg.Control.Standing(r.Context(), dc.Grant)
		if err == nil && s.Grant.State == passport.GrantPending {
			return dc.Grant, nil
		}
		if err != nil && problem.KindOf(err) != problem.NotFound {
			return "", err
		}
		return "", nil
	}
	if err != nil && problem.KindOf(err) != problem.NotFound {
		return "", err
	}
	return "", nil
}

// Asker is the device that a grant waits for, as a browser sees it.
type Asker struct {
	Code        string // as the device shows it
	From        string // the network address that asked
	SameNetwork bool   // as the browser
	Asked, Ends time.Time
}

// Asker finds the device of a grant; nil: the grant came by another door.
func (d *Device) Asker(r *http.Request, g passport.GrantID) (*Asker, error) {
	dc, err := d.cfg.Shown.DeviceCodeOfGrant(r.Context(), g)
	if problem.KindOf(err) == problem.NotFound && err != nil {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	from, err := netip.ParseAddr(dc.From)
	return &Asker{Code: spell(dc.UserCode), From: dc.From, SameNetwork: err == nil && sameNetwork(from, d.cfg.ClientAddr(r)),
		Asked: dc.CreatedAt, Ends: dc.ExpiresAt}, nil
}

// sameNetwork says whether two addresses are likely of one household: the same address, which many share behind a router; two private
// ones of one /24 (RFC 1918), seen by a broker at home; two of one IPv6 /64. It is told to the person and decides nothing.
func sameNetwork(a, b netip.Addr) bool {
	a, b = a.Unmap().WithZone(""), b.Unmap().WithZone("")
	if a == b {
		return a.IsValid()
	}
	if a.Is4() && b.Is4() && a.IsPrivate() && b.IsPrivate() {
		p, err := a.Prefix(24)
		return err == nil && p.Contains(b)
	}
	return a.Is6() && b.Is6() && flood.Network(a) == flood.Network(b)
}
