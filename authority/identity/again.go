package identity

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/devrelopers/aipassport/web"
)

// What a person entered is kept over a fresh sign-in: sealed, in a cookie, for the person and the page that it was entered on.
const (
	keptLife    = 10 * time.Minute
	keptCookie  = "aipassport-form"
	keptPurpose = "form kept over a sign-in"
	maxKept     = 3800 // bytes of the cookie's value: browsers keep 4096 with its name and attributes (RFC 6265bis §5.4)
)

// notKept are fields that are made anew, or nobody's to keep.
var notKept = []string{"csrf", "stamp", "decision", "password", "credential"}

// kept is a form that waits for its person.
type kept struct {
	Form  string
	Until int64 // seconds since 1970
}

// Fresh says whether a request is of a browser with which a person proved a moment ago who they are. An owner's bearer is no sign-in.
func (i *Identity) Fresh(r *http.Request) bool {
	if len(r.Header.Values("Authorization")) > 0 {
		return false
	}
	_, s, err := i.session(r)
	return err == nil && i.isFresh(s)
}

// Again sends a browser to sign in freshly and then back to a page of ours, for which what was posted is kept. A form that is too large for
// a cookie is not kept: then Kept has none, and the page begins as it was.
func (i *Identity) Again(w http.ResponseWriter, r *http.Request, v web.Visitor, path string) {
	if value, ok := i.keep(r.PostForm, v, path); ok {
		http.SetCookie(w, i.cfg.Pages.Cookie(keptCookie, value, int(keptLife/time.Second)))
	}
	i.cfg.Pages.Redirect(w, r, againPath(path))
}

// againPath is where one signs in freshly.
func againPath(next string) string {
	return "/login?" + url.Values{"again": {"yes"}, "next": {next}}.Encode()
}

func (i *Identity) keep(form url.Values, v web.Visitor, path string) (string, bool) {
	if i.cfg.Box == nil {
		return "", false
	}
	f := url.Values{}
	for name, values := range form {
		f[name] = values
	}
	for _, name := range notKept {
		f.Del(name)
	}
	plain, err := json.Marshal(kept{f.Encode(), i.now().Add(keptLife).Unix()})
	if err != nil {
		return "", false
	}
	var small bytes.Buffer
	z, err := flate.NewWriter(&small, flate.BestCompression)
	if err != nil {
		return "", false
	}
	z.Write(plain) // to a buffer: it does not fail
	z.Close()
	sealed, err := i.cfg.Box.Seal(keptPurpose, keptFor(v, path), small.Bytes())
	if err != nil {
		return "", false
	}
	value := base64.RawURLEncoding.EncodeToString(sealed)
	return value, len(value) <= maxKept
}

func keptFor(v web.Visitor, path string) string { return string(v.ID) + "\x00" + path }

// Kept is what this person entered on a page before the fresh sign-in, once. Not ok: nothing was kept for them and this page. A page shows it
// for the person to decide anew; it decides nothing.
func (i *Identity) Kept(w http.ResponseWriter, r *http.Request, v web.Visitor, path string) (url.Values, bool) {
	c, err := r.Cookie(i.cfg.Pages.CookieName(keptCookie))
	if err != nil || len(c.Value) > maxKept || i.cfg.Box == nil {
		return nil, false
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(c.Value)
	if err != nil {
		return nil, false
	}
	small, err := i.cfg.Box.Open(keptPurpose, keptFor(v, path), sealed)
	if err != nil {
		return nil, false
	}
	http.SetCookie(w, i.cfg.Pages.Cookie(keptCookie, "", -1))
	plain, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(small)), 2*web.MaxForm)) // ours: no more than a form, escaped
	var k kept
	if err != nil || json.Unmarshal(plain, &k) != nil || i.cfg.Now().Unix() >= k.Until {
		return nil, false
	}
	form, err := url.ParseQuery(k.Form)
	return form, err == nil
}
