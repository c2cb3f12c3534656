// Package token is the sole owner of the signing keys: nothing else signs or verifies an access token. It may not touch provider
// keys, money or HTTP.
package token
