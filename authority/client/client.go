// Package client knows who asks: which OAuth client an id names, and whether a request comes from it.
package client
