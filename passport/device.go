package passport

import "time"

// Bounds of the device flow (RFC 8628).
const (
	DeviceCodeLife = 10 * time.Minute // of the codes and of the request, as §6.1 advises: long enough to walk to a browser
	DeviceWait     = 5 * time.Second  // between two polls at the start (§3.5)
	deviceSlack    = time.Second      // a poll may come so much too early: clocks and networks are not exact
	maxDeviceWait  = 5 * time.Minute

	// MaxOneTime bounds the device codes and the key requests that are kept, each: when there are more, the oldest go. Strangers make
	// them.
	MaxOneTime = 1000
)

// DeviceCode is a device that waits for a person's answer at another screen.
type DeviceCode struct {
	Hash      [32]byte // SHA-256 of the device code
	UserCode  string   // what the device shows, without the dash; no secret to whom the device belongs
	Client    ClientID
	Grant     GrantID
	JKT       string // thumbprint of the key that the device proved (RFC 9449); empty: none
	From      string // the network address that asked, in text
	CreatedAt time.Time
	ExpiresAt time.Time
	Wait      time.Duration // between two polls
	PolledAt  time.Time     // zero: never
	Used      bool          // tokens were given for it
}

// Poll returns the code after a poll at a time, and whether it came too soon: then and from then on the device must wait five seconds
// more (RFC 8628 §3.5, slow_down). It does not change d.
func (d DeviceCode) Poll(now time.Time) (next DeviceCode, tooSoon bool) {
	if !d.PolledAt.IsZero() && now.Before(d.PolledAt.Add(d.Wait-deviceSlack)) {
		d.Wait, tooSoon = min(d.Wait+DeviceWait, maxDeviceWait), true
	}
	d.PolledAt = now
	return d, tooSoon
}

// KeyRequest is a request for an SDK key by a site that speaks to us as to OpenRouter: where the person goes back to with a code, and
// what the one who brings the code must prove (RFC 7636).
type KeyRequest struct {
	Grant     GrantID
	Callback  string    // as it was asked
	Challenge string    // code_challenge by S256: base64url without padding
	Browser   [32]byte  // SHA-256 of the cookie of the browser that opened it
	CodeHash  [32]byte  // SHA-256 of the code; zero: there is none yet
	CodeEnds  time.Time // zero: there is no code yet
	CreatedAt time.Time
	Used      bool // a key was given for it
}
