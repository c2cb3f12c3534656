package wire

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// Bounds of a request's parameters.
const (
	MaxForm  = 64 << 10 // bytes of a body or a query
	MaxValue = 32 << 10 // bytes of one value: authorization_details and assertions are long
	MaxText  = 2000     // bytes of a value that has no bound of its own: see Form.Text
	maxNames = 64       // parameters in a request, those included that nobody knows
	maxMany  = 8        // values of one that may come several times
)

// repeated may come several times (RFC 8707 §2, RFC 8693 §2.1); every other parameter may not (RFC 6749 §3.1, §3.2).
var repeated = []string{"resource", "audience"}

// Form is the parameters of a request, each once. One without a value counts as not there, and one that nobody knows is left alone
// (RFC 6749 §3.1).
type Form struct{ values url.Values }

// ReadForm reads the form in a request's body. Parameters in the address are refused: addresses end up in logs.
func ReadForm(w http.ResponseWriter, r *http.Request) (Form, error) {
	if r.URL.RawQuery != "" {
		return Form{}, Bad(InvalidRequest, "parameters belong in the body, not in the address")
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return Form{}, Bad(InvalidRequest, "the body must be application/x-www-form-urlencoded")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxForm))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return Form{}, Bad(InvalidRequest, "the body has more than %d bytes", MaxForm).With(http.StatusRequestEntityTooLarge)
	}
	if err != nil {
		return Form{}, Bad(InvalidRequest, "the body could not be read")
	}
	return parse(string(body))
}

// Query reads the parameters in a request's address.
func Query(r *http.Request) (Form, error) { return parse(r.URL.RawQuery) }

func parse(raw string) (Form, error) {
	if len(raw) > MaxForm {
		return Form{}, Bad(InvalidRequest, "the parameters have more than %d bytes", MaxForm)
	}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return Form{}, Bad(InvalidRequest, "the parameters are not form-urlencoded")
	}
	if len(values) > maxNames {
		return Form{}, Bad(InvalidRequest, "more than %d parameters", maxNames)
	}
	f := Form{url.Values{}}
	for name, list := range values {
		many := slices.Contains(repeated, name)
		if !many && len(list) > 1 {
			return Form{}, Bad(InvalidRequest, "%s: comes more than once", name)
		}
		if len(list) > maxMany {
			return Form{}, Bad(InvalidRequest, "%s: comes more than %d times", name, maxMany)
		}
		for _, v := range list {
			if len(v) > MaxValue {
				return Form{}, Bad(InvalidRequest, "%s: has more than %d bytes", name, MaxValue)
			}
			if !utf8.ValidString(v) || strings.ContainsFunc(v, func(c rune) bool { return (c < ' ' && c != '\t' && c != '\n' && c != '\r') || c == 0x7f }) {
				return Form{}, Bad(InvalidRequest, "%s: has bytes that are no text", name)
			}
			if v != "" {
				f.values.Add(name, v)
			}
		}
	}
	return f, nil
}

// FormOf makes a form of values that are already checked: those that a pushed request left, and tests.
func FormOf(values url.Values) Form { return Form{values} }

// Has says whether a parameter is there with a value.
func (f Form) Has(name string) bool { return f.values.Get(name) != "" }

// Get is the value of a parameter as it came, at most MaxValue bytes; empty if it is not there.
func (f Form) Get(name string) string { return f.values.Get(name) }

// All are the values of a parameter that may come several times.
func (f Form) All(name string) []string { return f.values[name] }

// Text is the value of a parameter that may have at most most bytes (0: MaxText). Error: invalid_request that names it.
func (f Form) Text(name string, most int) (string, error) {
	if most == 0 {
		most = MaxText
	}
	v := f.Get(name)
	if len(v) > most {
		return "", Bad(InvalidRequest, "%s: has more than %d bytes", name, most)
	}
	return v, nil
}

// Need is Text of a parameter that must be there.
func (f Form) Need(name string, most int) (string, error) {
	if !f.Has(name) {
		return "", Bad(InvalidRequest, "%s: is missing", name)
	}
	return f.Text(name, most)
}
