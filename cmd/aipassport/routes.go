package main

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/devrelopers/aipassport/authority/seed"
	"github.com/devrelopers/aipassport/internal/respond"
	"github.com/devrelopers/aipassport/server"
)

// routes is the whole attack surface, kept in testdata/routes.txt: what, for whom, and whether any origin may call it.
func (b *broker) routes() []server.Route {
	api := b.seedAPI()
	list := []server.Route{
		{Pattern: "GET /health", Auth: server.Public, CORS: true, Handler: health},
		{Pattern: "GET /.well-known/jwks.json", Auth: server.Public, CORS: true, Handler: b.jwks},

		{Pattern: "POST /grant-requests", Auth: server.Public, CORS: true, Handler: api.CreateRequest},
		{Pattern: "POST /tokens", Auth: server.GrantSecret, CORS: true, Handler: api.IssueToken},
		{Pattern: "GET /tokens/{token}/inspect", Auth: server.Token, CORS: true, Handler: api.Inspect},
	}
	for _, rt := range b.gateway.Routes() {
		list = append(list, server.Route{Pattern: rt.Pattern, Auth: server.Token, CORS: true, Handler: rt.Handler})
	}
	list = append(list, b.clientRoutes()...)
	list = append(list, b.doorRoutes()...)
	list = append(list, b.pageRoutes(api)...)
	return append(list, b.metadataRoutes(list)...)
}

// metadataRoutes are the documents that tell OAuth clients what is in the list before them.
func (b *broker) metadataRoutes(list []server.Route) (out []server.Route) {
	m := b.metadata()
	m.Mounted = func(pattern string) bool {
		return slices.ContainsFunc(list, func(rt server.Route) bool { return rt.Pattern == pattern })
	}
	handlers := m.Routes()
	for _, pattern := range slices.Sorted(maps.Keys(handlers)) {
		out = append(out, server.Route{Pattern: pattern, Auth: server.Public, CORS: true, Handler: handlers[pattern]})
	}
	return out
}

// clientRoutes are the endpoints that OAuth clients call, browser apps among them.
func (b *broker) clientRoutes() (list []server.Route) {
	handlers := b.oauth.Routes()
	maps.Copy(handlers, b.clients.Routes())
	maps.Copy(handlers, b.status.Routes())
	for _, pattern := range slices.Sorted(maps.Keys(handlers)) {
		list = append(list, server.Route{Pattern: pattern, Auth: server.Client, CORS: true, Handler: proofs{b.tokens, b.clientAddr}.withNonce(handlers[pattern])})
	}
	return list
}

func health(w http.ResponseWriter, _ *http.Request) {
	respond.JSON(w, http.StatusOK, map[string]string{"status": "ok", "service": "aipassport-broker"})
}

// jwks may be cached for a short while: a next key is published long before it signs.
func (b *broker) jwks(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "public, max-age=300")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Write(b.tokens.JWKS())
}

// routesTable is the table as testdata/routes.txt has it.
func routesTable(list []server.Route) string {
	var t strings.Builder
	for _, rt := range list {
		cors := ""
		if rt.CORS {
			cors = "any origin"
		}
		t.WriteString(strings.TrimRight(pad(rt.Pattern, 52)+pad(string(rt.Auth), 24)+cors, " ") + "\n")
	}
	return t.String()
}

func pad(s string, n int) string { return s + strings.Repeat(" ", max(1, n-len(s))) }

// pageRoutes are the pages and the owner's part of the REST API. Where both have a pattern, browsers get the page.
func (b *broker) pageRoutes(api *seed.API) []server.Route {
	apis := map[string]server.Route{}
	for _, rt := range []server.Route{
		{Pattern: "GET /grants", Auth: server.Owner, Handler: api.List},
		{Pattern: "GET /grants/{id}", Auth: server.OwnerOrApp, CORS: true, Handler: api.Read},
		{Pattern: "POST /grants/{id}/approve", Auth: server.Owner, Handler: api.Approve},
		{Pattern: "POST /grants/{id}/deny", Auth: server.Owner, Handler: api.Deny},
		{Pattern: "POST /grants/{id}/revoke", Auth: server.OwnerOrApp, Handler: api.Revoke},
		{Pattern: "GET /grants/{id}/keys", Auth: server.Owner, Handler: api.ListKeys},
		{Pattern: "POST /grants/{id}/keys", Auth: server.Owner, Handler: api.MakeKey},
		{Pattern: "POST /grants/{id}/keys/{key}/revoke", Auth: server.Owner, Handler: api.RevokeKey},
		{Pattern: "POST /grants/{id}/pause", Auth: server.Owner, Handler: api.Pause},
		{Pattern: "POST /grants/{id}/resume", Auth: server.Owner, Handler: api.Resume},
		{Pattern: "GET /owner-tokens", Auth: server.Owner, Handler: b.identity.ListOwnerTokens},
		{Pattern: "POST /owner-tokens/{id}/revoke", Auth: server.Owner, Handler: b.identity.RevokeOwnerToken},
		{Pattern: "GET /limits", Auth: server.Owner, Handler: api.ListLimits},
		{Pattern: "POST /limits/{name}", Auth: server.Owner, Handler: api.SetLimit},
		{Pattern: "POST /people/{id}/limit", Auth: server.Owner, Handler: api.LimitMember},
		{Pattern: "POST /stop", Auth: server.Owner, Handler: api.StopAll},
		{Pattern: "POST /resume", Auth: server.Owner, Handler: api.ResumeAll},
	} {
		apis[rt.Pattern] = rt
	}
	for pattern, h := range b.keys.API() {
		apis[pattern] = server.Route{Pattern: pattern, Auth: server.Owner, Handler: h}
	}
	for pattern, h := range b.clients.API() {
		apis[pattern] = server.Route{Pattern: pattern, Auth: server.Owner, Handler: h}
	}
	pages := map[string]server.Route{}
	add := func(auth server.Auth, handlers map[string]http.HandlerFunc) {
		for pattern, h := range handlers {
			pages[pattern] = server.Route{Pattern: pattern, Auth: auth, Handler: h}
		}
	}
	add(server.Public, b.identity.Routes())
	add(server.Owner, b.admin.Routes())
	add(server.Owner, b.consent.Routes())
	add(server.Owner, b.device.Routes())
	add(server.Public, b.oauth.Pages())
	add(server.Public, map[string]http.HandlerFunc{"GET /static/{file}": b.pages.Static})
	for pattern, rt := range apis {
		if page, both := pages[pattern]; both {
			rt.Handler = server.Either(page.Handler, rt.Handler)
		}
		pages[pattern] = rt
	}
	list := slices.Collect(maps.Values(pages))
	slices.SortFunc(list, func(a, b server.Route) int { return cmp.Compare(a.Pattern, b.Pattern) })
	return list
}
