package server

import (
	"net/http"
	"net/netip"
	"strings"
)

// Auth says what a route asks for. The handlers ask; this column is for the reader and for testdata/routes.txt.
type Auth string

// What routes ask for.
const (
	Public      Auth = "public"
	Token       Auth = "token"        // an access token
	GrantSecret Auth = "grant secret" // of the app that asked
	OwnerOrApp  Auth = "owner or grant secret"
	Owner       Auth = "owner" // session or bearer
	Setup       Auth = "setup link"
	Client      Auth = "client" // an OAuth client, by the method it is registered with; a public one by its id
)

// Route is one line of the attack surface.
type Route struct {
	Pattern string // as http.ServeMux takes it
	Auth    Auth
	CORS    bool // callable from any origin, without cookies
	Handler http.HandlerFunc
}

// Either serves browsers with a page and programs with JSON on one path.
func Either(page, api http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if WantsPage(r) {
			page(w, r)
			return
		}
		api(w, r)
	}
}

// WantsPage says whether a request comes from a person's browser: it asks for HTML or sends a form, and shows no bearer.
func WantsPage(r *http.Request) bool {
	if r.Header.Get("Authorization") != "" {
		return false
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return strings.Contains(r.Header.Get("Accept"), "text/html")
	}
	ct, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	return strings.EqualFold(strings.TrimSpace(ct), "application/x-www-form-urlencoded")
}

// cors knows which paths may be called from any origin, by the paths of the patterns: a preflight has a method of its own.
type cors struct {
	mux     *http.ServeMux
	methods map[string][]string // by path pattern
}

func corsPatterns(routes []Route) *cors {
	c := &cors{mux: http.NewServeMux(), methods: map[string][]string{}}
	for _, rt := range routes {
		method, p, ok := strings.Cut(rt.Pattern, " ")
		if !ok || !rt.CORS {
			continue
		}
		if c.methods[p] == nil {
			c.mux.Handle(p, http.NotFoundHandler())
		}
		c.methods[p] = append(c.methods[p], method)
	}
	return c
}

// exposed are the answer headers that scripts of apps may read.
const exposed = "AIPassport-Budget-Remaining-Micro-Usd, AIPassport-Calls-Remaining, AIPassport-Cost-Micro-Usd, AIPassport-Call, AIPassport-Max-Output, AIPassport-Max-Output-Asked, AIPassport-Ignored, " +
	"AIPassport-Provider-Request-Id, Idempotent-Replayed, Retry-After, X-Request-Id, Request-Id, X-Should-Retry, WWW-Authenticate, DPoP-Nonce"

// allow sets the CORS headers where a path is open to any origin, never with credentials, and answers preflights. It says
// whether the request is answered.
func (c *cors) allow(w http.ResponseWriter, r *http.Request, pattern string) bool {
	_, p := c.mux.Handler(r)
	preflight := r.Method == http.MethodOptions
	if p == "" || (!preflight && pattern == "") {
		return false
	}
	if !preflight && !contains(c.methods[p], r.Method) {
		return false
	}
	h := w.Header()
	c.open(h, true)
	if !preflight {
		return false
	}
	h.Set("Access-Control-Allow-Methods", strings.Join(c.methods[p], ","))
	if ask := r.Header.Get("Access-Control-Request-Headers"); ask != "" && len(ask) < 1000 {
		h.Set("Access-Control-Allow-Headers", ask)
	}
	h.Set("Access-Control-Max-Age", "600")
	h.Add("Vary", "Access-Control-Request-Headers")
	w.WriteHeader(http.StatusNoContent)
	return true
}

// open lets scripts of any origin read the answer, if they may.
func (c *cors) open(h http.Header, may bool) {
	if may {
		h["Access-Control-Allow-Origin"], h["Access-Control-Expose-Headers"] = everyone, exposes
	}
}

// Values that all answers share; nobody changes them in place.
var everyone, exposes = []string{"*"}, []string{exposed}

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}

// ClientAddr is the address of the client: the peer's, or what a listed reverse proxy says about it (the last address in
// X-Forwarded-For that is not itself a listed proxy). Anyone else's forwarding headers are ignored.
func (s *Server) ClientAddr(r *http.Request) netip.Addr { return ClientAddr(r, s.cfg.BehindProxy) }

// ClientAddr is Server.ClientAddr for those who are wired before the server is.
func ClientAddr(r *http.Request, proxies []netip.Prefix) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr := peer.Addr().Unmap()
	if !listed(addr, proxies) {
		return addr
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		if addr = hop.Unmap(); !listed(addr, proxies) {
			break
		}
	}
	return addr
}

func listed(a netip.Addr, proxies []netip.Prefix) bool {
	for _, p := range proxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
