package consent

import (
	"net/http"
	"strings"
	"time"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
)

// Device is how a request came in that a device waits for (RFC 8628): no site is known of it, and whoever shows the code may be anybody.
type Device struct {
	Code        string // as the device shows it: WDJB-MJHT
	From        string // the network address that asked
	SameNetwork bool   // as the browser that looks
	Asked, Ends time.Time
}

// Devices says which requests came from devices.
type Devices interface {
	// Waiting is the device that waits for a grant, as a browser sees it; nil: the grant came by another door.
	Waiting(r *http.Request, g passport.GrantID) (*Device, error)
}

// device finds the device of a request. One whose code has expired can be answered no more, whatever its grant says.
func (c *Consent) device(r *http.Request, g *passport.Grant) (*Device, error) {
	if c.cfg.Devices == nil {
		return nil, nil
	}
	d, err := c.cfg.Devices.Waiting(r, g.ID)
	if d != nil && g.State == passport.GrantPending && !c.cfg.Now().Before(d.Ends) {
		g.State, g.ExpiresAt = passport.GrantExpired, d.Ends
	}
	return d, err
}

// low is where the page starts for those whom nobody checked. The person may raise it up to what was asked.
type low struct {
	cents int64
	life  time.Duration
	who   string
}

var (
	uncheckedLow = low{100, 24 * time.Hour, "Apps that nobody checked"}
	deviceLow    = low{200, 7 * 24 * time.Hour, "Devices"}
	checkedStart = low{500, 7 * 24 * time.Hour, "Checked apps"}
)

func lowOf(g passport.Grant, d *Device) low {
	switch {
	case d != nil:
		return deviceLow
	case g.Checked:
		return checkedStart
	default:
		return uncheckedLow
	}
}

// sworn says whether the person must say that they began this themselves: not where we have checked that the site that gets the access
// is the one that asks.
func sworn(g passport.Grant, d *Device) bool { return d != nil || !g.Checked }

// statement is what the person ticks to approve, and what is said where it is not ticked.
func statement(d *Device) (text, missing string) {
	if d != nil {
		return "I see this code on a screen in front of me.", "Tick that you see the code on a screen of yours, or deny."
	}
	return "I started this myself, just now, and I know who runs the app.", "Tick that you started this yourself, or deny."
}

// deviceView is what the page shows of a device.
type deviceView struct {
	Letters []string // of the code; "-" where it has a dash
	Spoken  string   // the code, for those who hear it
	From    string
	Same    bool
	Ago     string
}

func viewOf(d *Device, now time.Time) *deviceView {
	if d == nil {
		return nil
	}
	v := &deviceView{Letters: strings.Split(d.Code, ""), From: d.From, Same: d.SameNetwork}
	v.Spoken = strings.ReplaceAll(strings.Join(v.Letters, ", "), "-", "dash")
	switch s := max(0, int64(now.Sub(d.Asked)/time.Second)); {
	case s < 10:
		v.Ago = "just now"
	case s < 90:
		v.Ago = web.Count(s, "second", "seconds") + " ago"
	default:
		v.Ago = web.Count(s/60, "minute", "minutes") + " ago"
	}
	return v
}
