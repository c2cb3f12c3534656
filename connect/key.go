// Package connect is a local sidecar: an OAuth client with a DPoP key of its own, and a listener on loopback that any SDK can use. The SDK
// shows it a local key; it calls the broker with a token that is bound to the DPoP key (RFC 9449), and keeps both. It uses what any app can
// use, the broker's public surface over HTTP, and imports nothing of the broker. It may not touch files: a Keeper does.
package connect

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net/url"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
)

// key is what tokens are bound to. It never leaves this computer.
type key struct {
	private *ecdsa.PrivateKey
	signer  jose.Signer
}

// NewKey makes a P-256 key and returns it as it is kept: PKCS #8 in base64.
func NewKey() (string, error) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", fmt.Errorf("make a key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		return "", fmt.Errorf("write the key: %w", err)
	}
	return base64.StdEncoding.EncodeToString(der), nil
}

// readKey reads what NewKey made.
func readKey(text string) (*key, error) {
	der, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("read the key: %w", err)
	}
	any, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("read the key: %w", err)
	}
	private, ok := any.(*ecdsa.PrivateKey)
	if !ok || private.Curve != elliptic.P256() {
		return nil, fmt.Errorf("read the key: it is not one of P-256")
	}
	// The public key goes into the header (RFC 9449 §4.2).
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: private}, (&jose.SignerOptions{EmbedJWK: true}).WithType("dpop+jwt"))
	if err != nil {
		return nil, fmt.Errorf("sign with the key: %w", err)
	}
	return &key{private, signer}, nil
}

// proof makes a proof for one request (RFC 9449 §4.2): with a token (empty: none goes with it) and the server's nonce (empty: it gave none).
func (k *key) proof(method string, to *url.URL, token, nonce string, now time.Time) (string, error) {
	at := *to
	at.RawQuery, at.Fragment = "", ""
	claims := map[string]any{"jti": randomText(), "htm": method, "htu": at.String(), "iat": now.Unix()}
	if token != "" {
		sum := sha256.Sum256([]byte(token))
		claims["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	b, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	s, err := k.signer.Sign(b)
	if err != nil {
		return "", fmt.Errorf("sign a proof: %w", err)
	}
	return s.CompactSerialize()
}

// randomText is 256 bits.
func randomText() string {
	b := make([]byte, 32)
	rand.Read(b) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(b)
}
