// Package status is what the server tells of itself and of tokens: its metadata (RFC 8414, RFC 9728), introspection (RFC 7662, RFC 9701), and
// the end of a token by who holds it (RFC 7009). It decides nothing: tokens are guard/token's to know and grants the control's to end. It may
// not touch providers, the gateway or SQL.
package status

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/devrelopers/aipassport/passport"
)

// Metadata is what the documents say. What an endpoint has is told only if its route is mounted, so that they cannot promise what is not there.
type Metadata struct {
	Issuer        string                // the public URL, without a slash at its end: iss in every token and answer (RFC 8414 §2)
	Resources     []string              // paths below it that a token is for, the empty one first (RFC 8707)
	GrantTypes    []string              // of the token endpoint
	ClientAuth    []passport.ClientAuth // by which clients prove who they are
	AssertionAlgs []string              // of client assertions (RFC 7523)
	DPoPAlgs      []string              // of proofs (RFC 9449 §5.1); empty: no proofs are taken
	SigningAlgs   []string              // of introspection answers (RFC 9701 §7)
	Documents     bool                  // the https address of a metadata document is a client_id
	Mounted       func(pattern string) bool
}

// Where the documents are (RFC 8414 §3, RFC 9728 §3). A resource's own has its path behind.
const (
	ServerPath   = "/.well-known/oauth-authorization-server"
	ResourcePath = "/.well-known/oauth-protected-resource"
)

// Patterns of routes that the server's document speaks of.
const (
	authorizeRoute  = "GET /oauth/authorize"
	tokenRoute      = "POST /oauth/token"
	pushRoute       = "POST /oauth/par"
	deviceRoute     = "POST /oauth/device_authorization"
	registerRoute   = "POST /oauth/register"
	introspectRoute = "POST /oauth/introspect"
	revokeRoute     = "POST /oauth/revoke"
	keysRoute       = "GET /.well-known/jwks.json"
)

// server is the document of RFC 8414 §2, with what RFC 9126 §5, RFC 9396 §10, RFC 9449 §5.1, RFC 8628 §4, RFC 9207 §3, RFC 9701 §7,
// RFC 9728 §4 and draft-ietf-oauth-client-id-metadata-document §5 add.
type server struct {
	Issuer          string                `json:"issuer"`
	Authorize       string                `json:"authorization_endpoint,omitempty"`
	Token           string                `json:"token_endpoint,omitempty"`
	Keys            string                `json:"jwks_uri,omitempty"`
	Register        string                `json:"registration_endpoint,omitempty"`
	ResponseTypes   []string              `json:"response_types_supported"`
	ResponseModes   []string              `json:"response_modes_supported,omitempty"`
	GrantTypes      []string              `json:"grant_types_supported"`
	ClientAuth      []passport.ClientAuth `json:"token_endpoint_auth_methods_supported,omitempty"`
	AssertionAlgs   []string              `json:"token_endpoint_auth_signing_alg_values_supported,omitempty"`
	Revoke          string                `json:"revocation_endpoint,omitempty"`
	RevokeAuth      []passport.ClientAuth `json:"revocation_endpoint_auth_methods_supported,omitempty"`
	RevokeAlgs      []string              `json:"revocation_endpoint_auth_signing_alg_values_supported,omitempty"`
	Introspect      string                `json:"introspection_endpoint,omitempty"`
	IntrospectAuth  []passport.ClientAuth `json:"introspection_endpoint_auth_methods_supported,omitempty"`
	IntrospectAlgs  []string              `json:"introspection_endpoint_auth_signing_alg_values_supported,omitempty"`
	IntrospectSigns []string              `json:"introspection_signing_alg_values_supported,omitempty"`
	CodeChallenges  []string              `json:"code_challenge_methods_supported,omitempty"`
	Push            string                `json:"pushed_authorization_request_endpoint,omitempty"`
	Device          string                `json:"device_authorization_endpoint,omitempty"`
	Details         []string              `json:"authorization_details_types_supported"`
	DPoPAlgs        []string              `json:"dpop_signing_alg_values_supported,omitempty"`
	IssInResponse   bool                  `json:"authorization_response_iss_parameter_supported,omitempty"`
	Documents       bool                  `json:"client_id_metadata_document_supported,omitempty"`
	Resources       []string              `json:"protected_resources"`
}

func (m Metadata) server() server {
	s := server{Issuer: m.Issuer, GrantTypes: m.GrantTypes, ResponseTypes: []string{}, Details: []string{passport.DetailType},
		Keys: m.endpoint(keysRoute), Register: m.endpoint(registerRoute), Push: m.endpoint(pushRoute), Device: m.endpoint(deviceRoute),
		DPoPAlgs: m.DPoPAlgs, Documents: m.Documents}
	if s.GrantTypes == nil {
		s.GrantTypes = []string{} // left out would mean authorization_code and implicit
	}
	for _, r := range m.Resources {
		s.Resources = append(s.Resources, m.Issuer+r)
	}
	if s.Authorize = m.endpoint(authorizeRoute); s.Authorize != "" {
		s.ResponseTypes, s.ResponseModes = []string{"code"}, []string{"query"}
		s.CodeChallenges, s.IssInResponse = []string{"S256"}, true
	}
	if s.Token = m.endpoint(tokenRoute); s.Token != "" {
		s.ClientAuth, s.AssertionAlgs = m.ClientAuth, m.AssertionAlgs
	}
	if s.Revoke = m.endpoint(revokeRoute); s.Revoke != "" {
		s.RevokeAuth, s.RevokeAlgs = m.ClientAuth, m.AssertionAlgs
	}
	if s.Introspect = m.endpoint(introspectRoute); s.Introspect != "" {
		s.IntrospectAuth, s.IntrospectAlgs, s.IntrospectSigns = m.ClientAuth, m.AssertionAlgs, m.SigningAlgs
	}
	return s
}

// endpoint is the URL of a route; empty: it is not mounted.
func (m Metadata) endpoint(pattern string) string {
	if !m.Mounted(pattern) {
		return ""
	}
	_, path, _ := strings.Cut(pattern, " ")
	return m.Issuer + path
}

// resource is the document of RFC 9728 §2, of one path.
type resource struct {
	Resource      string   `json:"resource"`
	Servers       []string `json:"authorization_servers"`
	BearerMethods []string `json:"bearer_methods_supported"`
	Name          string   `json:"resource_name"`
	Details       []string `json:"authorization_details_types_supported"`
	DPoPAlgs      []string `json:"dpop_signing_alg_values_supported,omitempty"`
	DPoPRequired  bool     `json:"dpop_bound_access_tokens_required"`
}

// Routes are the documents, by pattern. They may be read by anyone and kept for a short while.
func (m Metadata) Routes() map[string]http.HandlerFunc {
	out := map[string]http.HandlerFunc{"GET " + ServerPath: document(m.server())}
	for _, path := range m.Resources {
		out["GET "+ResourcePath+path] = document(resource{Resource: m.Issuer + path, Servers: []string{m.Issuer}, BearerMethods: []string{"header"},
			Name: "AIPassport", Details: []string{passport.DetailType}, DPoPAlgs: m.DPoPAlgs})
	}
	return out
}

// document serves what does not change while the broker runs.
func document(v any) http.HandlerFunc {
	b, err := json.Marshal(v)
	if err != nil {
		panic("status: a document that cannot be encoded: " + err.Error())
	}
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "public, max-age=300")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Write(b)
	}
}
