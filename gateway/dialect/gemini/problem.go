package gemini

import (
	"encoding/json"
	"net/http"

	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/internal/problem"
)

// envelope is Google's error body (https://google.aip.dev/193, google.rpc.Status).
type envelope struct {
	Error envelopeError `json:"error"`
}

type envelopeError struct {
	Code    int        `json:"code"`
	Message string     `json:"message"`
	Status  string     `json:"status"`
	Details []struct{} `json:"details"`
}

// Problem shapes an error of ours. The envelope has no place for a field, so the message begins with it.
func (generate) Problem(p *problem.Error, _ string) dialect.Answer {
	return dialect.Answer{Status: dialect.Status(dialect.KindOf(p)), Header: dialect.Header(p), Body: encode(shape(p))}
}

// Cut is the event that ends a stream which we cut: an error, and no finishReason. In a stream that is a JSON array it is no
// JSON, so that nobody takes what came for a whole answer.
func (generate) Cut(p *problem.Error) []byte {
	return append(append([]byte("data: "), encode(shape(p))...), "\r\n\r\n"...)
}

func shape(p *problem.Error) envelope {
	status := dialect.Status(dialect.KindOf(p))
	message := dialect.Detail(p)
	if p != nil && p.Field != "" {
		message = p.Field + ": " + message
	}
	return envelope{envelopeError{status, message, word(status), []struct{}{}}}
}

// word is the google.rpc.Code of an HTTP status.
func word(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "UNAUTHENTICATED"
	case http.StatusForbidden:
		return "PERMISSION_DENIED"
	case http.StatusNotFound:
		return "NOT_FOUND"
	case http.StatusMethodNotAllowed:
		return "UNIMPLEMENTED"
	case http.StatusConflict:
		return "ABORTED"
	case http.StatusTooManyRequests:
		return "RESOURCE_EXHAUSTED"
	case 499:
		return "CANCELLED"
	case http.StatusBadGateway, http.StatusServiceUnavailable:
		return "UNAVAILABLE"
	case http.StatusGatewayTimeout:
		return "DEADLINE_EXCEEDED"
	default:
	}
	if status < http.StatusInternalServerError {
		return "INVALID_ARGUMENT"
	}
	return "INTERNAL"
}

// upstreamError is what is read of an error; details are left, they may name projects and keys.
type upstreamError struct {
	Error *struct {
		Message string `json:"message"`
		Status  string `json:"status"`
		Details []struct {
			Reason string `json:"reason"` // google.rpc.ErrorInfo
		} `json:"details"`
	} `json:"error"`
}

// refusedKey says whether the error is about the key. Google tells that with a 400, which is not the caller's mistake.
func (e upstreamError) refusedKey() bool {
	for _, d := range e.Error.Details {
		if d.Reason == "API_KEY_INVALID" || d.Reason == "API_KEY_EXPIRED" {
			return true
		}
	}
	return false
}

// ReadError cleans an upstream error; one about the key counts as a 401. A stream that is a JSON array has its error in a list.
func (generate) ReadError(status int, body []byte) dialect.Upstream {
	var one upstreamError
	var list []upstreamError
	if json.Unmarshal(body, &list) == nil && len(list) > 0 {
		one = list[0]
	} else if json.Unmarshal(body, &one) != nil {
		return dialect.Unreadable(status)
	}
	if one.Error == nil {
		return dialect.Unreadable(status)
	}
	if one.refusedKey() {
		status = http.StatusUnauthorized
	}
	return dialect.Cleaned(dialect.Upstream{Status: status, Type: one.Error.Status, Message: one.Error.Message})
}

// UpstreamError shapes a cleaned upstream error.
func (generate) UpstreamError(u dialect.Upstream, _ string) dialect.Answer {
	status := dialect.ErrorStatus(u.Status)
	kind := u.Type
	if kind == "" {
		kind = word(status)
	}
	return dialect.Answer{Status: status, Header: dialect.Header(nil), Body: encode(envelope{envelopeError{status, u.Message, kind, []struct{}{}}})}
}

// encode writes an error body. Its types cannot fail to encode.
func encode(v envelope) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("gemini: an error that cannot be encoded: " + err.Error())
	}
	return b
}
