package openai

import (
	"encoding/json"
	"net/http"

	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/internal/problem"
)

// envelope is OpenAI's error body: all four members are always there (guide "Error codes"; openai-go's Error type).
type envelope struct {
	Error envelopeError `json:"error"`
}

type envelopeError struct {
	Message string  `json:"message"`
	Type    string  `json:"type"`
	Param   *string `json:"param"`
	Code    *string `json:"code"`
}

// Problem shapes an error of ours. Money or calls that are spent have OpenAI's own code for it, insufficient_quota.
func (chat) Problem(p *problem.Error, _ string) dialect.Answer {
	return dialect.Answer{Status: dialect.Status(dialect.KindOf(p)), Header: dialect.Header(p), Body: encode(shape(p))}
}

// Cut is the event that ends a stream which we cut: an error, and no [DONE].
func (chat) Cut(p *problem.Error) []byte {
	return append(append([]byte("data: "), encode(shape(p))...), "\n\n"...)
}

func shape(p *problem.Error) envelope {
	kind, code := words(dialect.KindOf(p))
	e := envelopeError{Message: dialect.Detail(p), Type: kind, Code: &code}
	if p != nil && p.Field != "" {
		e.Param = &p.Field
	}
	return envelope{e}
}

// words are OpenAI's type and code of a problem; our own code where OpenAI has none.
func words(k problem.Kind) (kind, code string) {
	switch k {
	case problem.BudgetSpent, problem.CallsSpent:
		return "insufficient_quota", "insufficient_quota"
	case problem.RateExceeded:
		return "requests", "rate_limit_exceeded"
	case problem.Busy:
		return "requests", dialect.Code(k)
	default:
	}
	if dialect.Status(k) >= http.StatusInternalServerError {
		return "server_error", dialect.Code(k)
	}
	return "invalid_request_error", dialect.Code(k)
}

// ReadError cleans an upstream error. Servers that only speak the format leave members out or put a text where the object is.
func (chat) ReadError(status int, body []byte) dialect.Upstream {
	var e struct {
		Error json.RawMessage `json:"error"`
	}
	var in struct {
		Message string `json:"message"`
		Type    string `json:"type"`
		Param   any    `json:"param"`
		Code    any    `json:"code"`
	}
	if json.Unmarshal(body, &e) != nil || json.Unmarshal(e.Error, &in) != nil && json.Unmarshal(e.Error, &in.Message) != nil {
		return dialect.Unreadable(status)
	}
	param, _ := in.Param.(string)
	code, _ := in.Code.(string)
	return dialect.Cleaned(dialect.Upstream{Status: status, Type: in.Type, Code: code, Param: param, Message: in.Message})
}

// UpstreamError shapes a cleaned upstream error.
func (chat) UpstreamError(u dialect.Upstream, _ string) dialect.Answer {
	e := envelopeError{Message: u.Message, Type: u.Type}
	if e.Type == "" {
		e.Type, _ = words(dialect.Kind(u.Status))
	}
	if u.Code != "" {
		e.Code = &u.Code
	}
	if u.Param != "" {
		e.Param = &u.Param
	}
	return dialect.Answer{Status: dialect.ErrorStatus(u.Status), Header: dialect.Header(nil), Body: encode(envelope{e})}
}

// encode writes an error body. Its types cannot fail to encode.
func encode(v envelope) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("openai: an error that cannot be encoded: " + err.Error())
	}
	return b
}
