package back

import (
	"net/http"

	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/passport"
)

// overloaded is Anthropic's status for what the others call 503.
const overloaded = 529

// Error says an upstream error in the words of another dialect, so that the classes and codes that its clients look at are theirs. The
// message stays. The provider's own word stays as OpenAI's code, where OpenAI has none of its own for it; the field at fault is left out,
// for it is the provider's and not the caller's.
func Error(to passport.Provider, u dialect.Upstream) dialect.Upstream {
	out := dialect.Upstream{Status: dialect.ErrorStatus(u.Status), Message: u.Message}
	switch to {
	case passport.OpenAI:
		if out.Status == overloaded {
			out.Status = http.StatusServiceUnavailable
		}
		out.Type, out.Code = openaiWords(out.Status, u)
	case passport.Anthropic:
		if out.Status == http.StatusServiceUnavailable {
			out.Status = overloaded
		}
		out.Type = anthropicWord(out.Status)
	default: // the dialect has a word for every status
	}
	return out
}

// openaiWords: guide "Error codes".
func openaiWords(status int, u dialect.Upstream) (kind, code string) {
	if code = u.Code; code == "" {
		code = u.Type
	}
	switch {
	case status == http.StatusTooManyRequests && u.Code == "insufficient_quota":
		return u.Code, u.Code
	case status == http.StatusTooManyRequests:
		return "requests", "rate_limit_exceeded"
	case status == http.StatusNotFound:
		return "invalid_request_error", "model_not_found"
	case status < http.StatusInternalServerError:
		return "invalid_request_error", code
	default:
		return "server_error", code
	}
}

// anthropicWord is Anthropic's type of an error with a status (page "Errors").
func anthropicWord(status int) string {
	for _, e := range anthropicErrors {
		if e.status == status {
			return e.kind
		}
	}
	if status < http.StatusInternalServerError {
		return "invalid_request_error"
	}
	return "api_error"
}

var anthropicErrors = []struct {
	kind   string
	status int
}{
	{"invalid_request_error", http.StatusBadRequest},
	{"authentication_error", http.StatusUnauthorized},
	{"billing_error", http.StatusPaymentRequired},
	{"permission_error", http.StatusForbidden},
	{"not_found_error", http.StatusNotFound},
	{"request_too_large", http.StatusRequestEntityTooLarge},
	{"rate_limit_error", http.StatusTooManyRequests},
	{"api_error", http.StatusInternalServerError},
	{"timeout_error", http.StatusGatewayTimeout},
	{"overloaded_error", overloaded},
}

// anthropicStatus is the status that an error inside a stream would have had.
func anthropicStatus(kind string) int {
	for _, e := range anthropicErrors {
		if e.kind == kind {
			return e.status
		}
	}
	return http.StatusBadGateway
}

// openaiStatus is the same for OpenAI, whose errors have a type and a code.
func openaiStatus(kind, code string) int {
	switch {
	case code == "rate_limit_exceeded", code == "insufficient_quota", kind == "insufficient_quota", kind == "rate_limit_error", kind == "requests", kind == "tokens":
		return http.StatusTooManyRequests
	case kind == "invalid_request_error":
		return http.StatusBadRequest
	case kind == "server_error":
		return http.StatusInternalServerError
	default:
		return http.StatusBadGateway
	}
}

// errorEvent is an error in the middle of a stream: OpenAI's as data, Anthropic's as an event of its own.
func errorEvent(to passport.Provider, u dialect.Upstream) []byte {
	if to == passport.Anthropic {
		return anthropicErrorEvent(u)
	}
	type body struct {
		Message string  `json:"message"`
		Type    string  `json:"type"`
		Param   *string `json:"param"`
		Code    *string `json:"code"`
	}
	e := body{Message: u.Message, Type: u.Type}
	if u.Code != "" {
		e.Code = &u.Code
	}
	return append(append([]byte("data: "), encode(struct {
		Error body `json:"error"`
	}{e})...), "\n\n"...)
}

func anthropicErrorEvent(u dialect.Upstream) []byte {
	e := struct {
		Type  string         `json:"type"`
		Error anthropicError `json:"error"`
	}{"error", anthropicError{u.Type, u.Message}}
	return append(append([]byte("event: error\ndata: "), encode(e)...), "\n\n"...)
}
