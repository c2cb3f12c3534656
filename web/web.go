// Package web is the face: templates, styles and a little script, all embedded, the headers that keep a page safe, and the checks
// that every form post goes through. It knows no rule about grants or people, and may not touch storage or providers.
package web

import (
	"bytes"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// policy is the Content-Security-Policy of every page. form-action also governs redirects after a post, so a post is answered
// by a redirect to ourselves or by a page.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; " +
	"base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// Options are what pages need to know of the broker.
type Options struct {
	PublicURL string                     // issuer and base of all links: scheme and host are used
	Log       *slog.Logger               // where a failure that a page cannot explain is told; nil: nowhere
	RequestID func(*http.Request) string // the number that an operator finds in the log; nil: pages show none
}

// Pages renders pages and serves their static files. Use New.
type Pages struct {
	opt     Options
	public  *url.URL
	sets    map[string]*template.Template
	files   map[string]file // by path
	paths   map[string]string
	protect *http.CrossOriginProtection
}

// Page is what every page has, and its own data D.
type Page struct {
	Title      string    // begins with the state when that is what matters ("Error: ...")
	Nav        string    // the current tab; empty: no tabs
	Visitor    Visitor   // who is signed in; the zero Visitor is nobody
	Stopped    time.Time // since when all apps are stopped; zero: they are not
	StoppedOwn time.Time // and all that are the visitor's own
	Said       string    // what was just done, with numbers; empty: nothing
	Live       string    // the path that tells how what moves on it stands; empty: nothing moves
	More       string    // what Live says as long as the page shows all that there is
	Next       string    // a path of our own that the browser goes on to by itself; empty: it stays
	Plots      bool      // a script draws over the plots of the page
	D          any
}

// view is a Page together with what the layout needs of the broker.
type view struct {
	Page
	Host, Origin  string
	CSS, JS, Icon string
	PasskeyJS     string
	PlotJS        string
	PlotCSS       string
	UPlotJS       string
	UPlotCSS      string
	Tabs          []tab
}

type tab struct{ Name, Href string }

var tabs = []tab{{"Apps", "/"}, {"Usage", "/usage"}, {"Keys", "/keys"}, {"Limits", "/limits"}, {"Activity", "/activity"}, {"Settings", "/settings"}}

// New reads the templates. Error: the public URL is not http or https with a host.
func New(opt Options) (*Pages, error) {
	u, err := url.Parse(opt.PublicURL)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("public URL %q is not http or https with a host", opt.PublicURL)
	}
	p := &Pages{opt: opt, public: u, protect: http.NewCrossOriginProtection()}
	if err := p.protect.AddTrustedOrigin(u.Scheme + "://" + u.Host); err != nil {
		return nil, fmt.Errorf("trust our own origin: %w", err)
	}
	if p.sets, err = sets(); err != nil {
		return nil, err
	}
	p.files, p.paths, err = readFiles()
	return p, err
}

// Secure says whether pages are reached by https, so that cookies can be bound to it.
func (p *Pages) Secure() bool { return p.public.Scheme == "https" }

// Host is the host that people see in the address bar.
func (p *Pages) Host() string { return p.public.Host }

// Runs says in a word whether a visitor's apps run: "running", "stopped" where everybody's are stopped, or "stopped-own".
func Runs(all, own time.Time) string {
	switch {
	case !all.IsZero():
		return "stopped"
	case !own.IsZero():
		return "stopped-own"
	default:
		return "running"
	}
}

// Runs is Runs, of the visitor of a page.
func (p Page) Runs() string { return Runs(p.Stopped, p.StoppedOwn) }

// Render writes a page with its security headers. A template that fails is our bug; the visitor sees a plain sentence.
func (p *Pages) Render(w http.ResponseWriter, r *http.Request, status int, page string, data Page) {
	set, ok := p.sets[page]
	if !ok {
		panic("web: no page " + page)
	}
	v := view{Page: data, Host: p.public.Host, Origin: p.public.Scheme + "://" + p.public.Host, CSS: p.paths["app.css"], JS: p.paths["app.js"], Icon: p.paths["mark.svg"], PasskeyJS: p.paths["passkey.js"]}
	if data.Plots {
		v.PlotJS, v.PlotCSS, v.UPlotJS, v.UPlotCSS = p.paths["plot.js"], p.paths["plot.css"], p.paths["uplot.js"], p.paths["uplot.css"]
	}
	if data.Nav != "" {
		v.Tabs = tabs
	}
	var b bytes.Buffer
	if err := set.ExecuteTemplate(&b, "page", v); err != nil {
		p.log(r, "render "+page, err)
		Protect(w)
		http.Error(w, "This page could not be drawn. What you asked for may have been done: look at your apps.", http.StatusInternalServerError)
		return
	}
	Protect(w)
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", fmt.Sprint(b.Len()))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		w.Write(b.Bytes())
	}
}

// Protect sets the headers that every answer to a page's address has, redirects included.
func Protect(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
}

// Redirect answers with 303 to a path of our own (LocalPath), so that a reload does not post again.
func (p *Pages) Redirect(w http.ResponseWriter, r *http.Request, path string) {
	Protect(w)
	http.Redirect(w, r, LocalPath(path), http.StatusSeeOther)
}

// LocalPath returns path if it can only lead to ourselves, else "/". Browsers read a backslash as a slash and drop tabs and
// line breaks (WHATWG URL, basic URL parser), so only printable ASCII without backslashes is taken.
func LocalPath(path string) string {
	if len(path) > 1000 || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.Contains(path, `\`) {
		return "/"
	}
	for i := range len(path) {
		if path[i] <= ' ' || path[i] > '~' {
			return "/"
		}
	}
	u, err := url.Parse(path)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil {
		return "/"
	}
	return path
}

func (p *Pages) log(r *http.Request, doing string, err error) {
	if p.opt.Log == nil {
		return
	}
	p.opt.Log.ErrorContext(r.Context(), doing, "error", err.Error(), "request", p.requestID(r))
}

func (p *Pages) requestID(r *http.Request) string {
	if p.opt.RequestID == nil {
		return ""
	}
	return p.opt.RequestID(r)
}
