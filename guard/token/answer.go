package token

import (
	"encoding/json"
	"fmt"

	"github.com/go-jose/go-jose/v4"

	"github.com/devrelopers/aipassport/internal/problem"
)

// introspectionType is the typ of a signed introspection answer (RFC 9701 §5): it is not that of a token, so none passes for the other.
const introspectionType = "token-introspection+jwt"

// AnswerAlgs are the algorithms that introspection answers are signed with; none with HS256.
func (s *Service) AnswerAlgs() []string {
	if s.ring.Load().answer == nil {
		return nil
	}
	return []string{string(jose.ES256)}
}

// SignIntrospection signs what an introspection tells (RFC 9701 §5), for one audience and as of now. Error: UnsupportedMedia with HS256: the
// key is a secret, and who asks could not verify.
func (s *Service) SignIntrospection(audience string, told any) (string, error) {
	signer := s.ring.Load().answer
	if signer == nil {
		return "", problem.New(problem.UnsupportedMedia, "answers are not signed here: tokens are signed with a shared secret")
	}
	payload, err := json.Marshal(struct {
		Issuer   string `json:"iss"`
		Audience string `json:"aud"`
		IssuedAt int64  `json:"iat"`
		Told     any    `json:"token_introspection"`
	}{s.cfg.Issuer, audience, s.cfg.Now().Unix(), told})
	if err != nil {
		return "", fmt.Errorf("write out an introspection answer: %w", err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("sign an introspection answer: %w", err)
	}
	return jws.CompactSerialize()
}
