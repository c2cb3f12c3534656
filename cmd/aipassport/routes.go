package main

import (
	"net/http"
	"strings"

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
	return append(list, b.pageRoutes(api)...)
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
