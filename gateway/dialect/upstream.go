package dialect

import (
	"fmt"
	"net/http"

	"github.com/devrelopers/aipassport/internal/problem"
)

// Unreadable is what is told of an upstream error that is not in the provider's error format: HTML of a proxy, for example.
func Unreadable(status int) Upstream {
	return Upstream{Status: status, Message: fmt.Sprintf("the provider answered %d with something that is not its error format", status)}
}

// Cleaned bounds and cleans the texts of an upstream error; one that says nothing gets a plain text.
func Cleaned(u Upstream) Upstream {
	u.Type, u.Code, u.Param = Clean(u.Type, MaxWord), Clean(u.Code, MaxWord), Clean(u.Param, MaxWord)
	u.Message = Clean(u.Message, MaxMessage)
	if u.Message == "" {
		u.Message = fmt.Sprintf("the provider answered %d without a message", u.Status)
	}
	return u
}

// ErrorStatus is the status that an upstream error goes on with: the provider's own, if it is one of an error.
func ErrorStatus(status int) int {
	if status < 400 || status > 599 {
		return http.StatusBadGateway
	}
	return status
}

// Kind is the kind of problem that an HTTP status stands for, where a provider left its own word out.
func Kind(status int) problem.Kind {
	switch status {
	case http.StatusUnauthorized:
		return problem.Unauthenticated
	case http.StatusForbidden:
		return problem.Forbidden
	case http.StatusNotFound:
		return problem.NotFound
	case http.StatusConflict:
		return problem.Conflict
	case http.StatusRequestEntityTooLarge:
		return problem.TooLarge
	case http.StatusTooManyRequests:
		return problem.RateExceeded
	case http.StatusServiceUnavailable, 529: // 529: Anthropic's overloaded
		return problem.Unavailable
	case http.StatusGatewayTimeout:
		return problem.UpstreamTimeout
	default:
	}
	if status >= 400 && status < 500 {
		return problem.Invalid
	}
	return problem.UpstreamFailed
}
