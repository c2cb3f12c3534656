package main

import (
	"net/http"
	"net/netip"

	"github.com/devrelopers/aipassport/guard/token"
	"github.com/devrelopers/aipassport/internal/flood"
)

// proofs checks the proofs of requests that bring no token along: those to the authorization server's endpoints.
type proofs struct {
	tokens *token.Service
	from   func(*http.Request) netip.Addr
}

// Prove returns the thumbprint of the key that a request proves; "" if it has no proof.
func (p proofs) Prove(r *http.Request) (jkt string, err error) {
	return p.tokens.Prove(r.Context(), token.Asked{Proofs: r.Header.Values("DPoP"), Method: r.Method, Path: r.URL.EscapedPath(),
		From: flood.Network(p.from(r)).String()})
}

// withNonce puts the nonce that the next proof is to have into each answer to a request with a proof (RFC 9449 §8, §8.2).
func (p proofs) withNonce(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if len(r.Header.Values("DPoP")) > 0 {
			if nonce, err := p.tokens.Nonce(); err == nil { // else the proof is refused for the same reason
				w.Header().Set("DPoP-Nonce", nonce)
			}
		}
		h(w, r)
	}
}
