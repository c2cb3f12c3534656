// Package authority is the control plane: how a grant is asked for, approved, paused, revoked. It decides nothing alone: a grant
// changes by passport's moves, is durable before it is told, and its calls in flight are recalled after. It may not touch
// providers, the gateway or SQL.
package authority
