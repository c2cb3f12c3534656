package anthropic

import (
	"encoding/json"
	"net/http"

	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/internal/problem"
)

// envelope is Anthropic's error body (page "Errors").
type envelope struct {
	Type      string        `json:"type"`
	Error     envelopeError `json:"error"`
	RequestID string        `json:"request_id,omitempty"`
}

type envelopeError struct {
	Type    string `json:"type"`
	Message string `json:"message"`

	Details *envelopeDetails `json:"details,omitempty"`
}

type envelopeDetails struct {
	ErrorCode string `json:"error_code"`
}

// threadUnsupported is the error code at which clients that keep a thread with the provider send the whole history instead.
const threadUnsupported = "thread_unsupported_request"

// Problem shapes an error of ours. The envelope has no place for a field, so the message begins with it.
func (messages) Problem(p *problem.Error, requestID string) dialect.Answer {
	status := dialect.Status(dialect.KindOf(p))
	return dialect.Answer{Status: status, Header: dialect.Header(p), Body: encode(shape(p, requestID))}
}

// Cut is the event that ends a stream which we cut: an error, and no message_stop.
func (messages) Cut(p *problem.Error) []byte {
	return append(append([]byte("event: error\ndata: "), encode(shape(p, ""))...), "\n\n"...)
}

func shape(p *problem.Error, requestID string) envelope {
	message := dialect.Detail(p)
	if p != nil && p.Field != "" {
		message = p.Field + ": " + message
	}
	e := envelopeError{Type: word(dialect.Status(dialect.KindOf(p))), Message: message}
	if p != nil && p.Kind == problem.Invalid && p.Field == "thread" {
		e.Details = &envelopeDetails{threadUnsupported}
	}
	return envelope{"error", e, requestID}
}

// word is Anthropic's type of an error with a status.
func word(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "authentication_error"
	case http.StatusForbidden:
		return "permission_error"
	case http.StatusNotFound:
		return "not_found_error"
	case http.StatusRequestEntityTooLarge:
		return "request_too_large"
	case http.StatusTooManyRequests:
		return "rate_limit_error"
	case http.StatusGatewayTimeout:
		return "timeout_error"
	case http.StatusServiceUnavailable, 529:
		return "overloaded_error"
	default:
	}
	if status < http.StatusInternalServerError {
		return "invalid_request_error"
	}
	return "api_error"
}

// ReadError cleans an upstream error.
func (messages) ReadError(status int, body []byte) dialect.Upstream {
	var e struct {
		Error *envelopeError `json:"error"`
	}
	if json.Unmarshal(body, &e) != nil || e.Error == nil {
		return dialect.Unreadable(status)
	}
	return dialect.Cleaned(dialect.Upstream{Status: status, Type: e.Error.Type, Message: e.Error.Message})
}

// UpstreamError shapes a cleaned upstream error.
func (messages) UpstreamError(u dialect.Upstream, requestID string) dialect.Answer {
	status := dialect.ErrorStatus(u.Status)
	kind := u.Type
	if kind == "" {
		kind = word(status)
	}
	return dialect.Answer{Status: status, Header: dialect.Header(nil), Body: encode(envelope{"error", envelopeError{Type: kind, Message: u.Message}, requestID})}
}

// encode writes an error body. Its types cannot fail to encode.
func encode(v envelope) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("anthropic: an error that cannot be encoded: " + err.Error())
	}
	return b
}
