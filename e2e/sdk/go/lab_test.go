// Package sdks_test is the suite of the official Go SDKs. It has a module of its own, so that they are no dependencies of the
// broker. It needs the lab of the folder above: run make sdk.
package sdks_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// attempt is one cell of the table while it is shown: what the lab gave for it.
type attempt struct {
	None                   string
	Case, Base, Key, Model string // Case is the mark that each call must have in its prompt
	Picture, Sound         string // in base64
	target                 string
	asked                  atomic.Int64 // requests that the SDK has sent
}

// RoundTrip counts what the SDK sends.
func (a *attempt) RoundTrip(r *http.Request) (*http.Response, error) {
	a.asked.Add(1)
	return http.DefaultTransport.RoundTrip(r)
}

// http is a client that counts.
func (a *attempt) http() *http.Client { return &http.Client{Transport: a} }

// withKey is a feature for which the lab gives an SDK key in the place of a token.
func withKey(feature func(*attempt) error) func(*attempt) error {
	return func(a *attempt) error {
		if !strings.HasPrefix(a.Key, "aip_") {
			return fmt.Errorf("the lab gave no SDK key: %.6s...", a.Key)
		}
		return feature(a)
	}
}

// sent is an error if the SDK has sent more requests, or fewer, than n.
func (a *attempt) sent(n int64) error {
	if got := a.asked.Load(); got != n {
		return fmt.Errorf("the SDK sent %d requests, want %d", got, n)
	}
	return nil
}

// noSuchModel names a model that has no price. Where it is another provider's than the surface's, its name says whose.
func (a *attempt) noSuchModel(own string) string {
	if a.target == own {
		return "no-such-model"
	}
	return a.target + "/no-such-model"
}

// show runs each feature with each target and tells the lab what came of it.
func show(t *testing.T, client, module string, targets []string, features map[string]func(*attempt) error) {
	version := versionOf(t, module)
	for _, target := range targets {
		for name, feature := range features {
			t.Run(client+"/"+target+"/"+name, func(t *testing.T) {
				t.Parallel()
				a := &attempt{target: target}
				tell(t, "/case", map[string]any{"Client": client, "Feature": name, "Target": target}, a)
				if a.None != "" {
					return // the table says "-" and why
				}
				failed := ""
				if err := feature(a); err != nil {
					failed = err.Error()
				}
				var verdict struct{ Wrong string }
				tell(t, "/done", map[string]any{"Case": a.Case, "Version": version, "Error": failed}, &verdict)
				if verdict.Wrong != "" {
					t.Error(verdict.Wrong)
				}
			})
		}
	}
}

// tell posts to the lab and reads its answer.
func tell(t *testing.T, path string, in, out any) {
	t.Helper()
	lab := os.Getenv("SDK_LAB")
	if lab == "" {
		t.Fatal("SDK_LAB is not set: run make sdk in the root")
	}
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.Post(lab+path, "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != 200 {
		t.Fatalf("%s: %s %s %v", path, res.Status, text, err)
	}
	if err := json.Unmarshal(text, out); err != nil {
		t.Fatal(err)
	}
}

// versionOf is the version of a module in go.mod.
func versionOf(t *testing.T, module string) string {
	t.Helper()
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^(?:require )?\s*` + regexp.QuoteMeta(module) + ` v(\S+)`).FindSubmatch(mod)
	if found == nil {
		t.Fatalf("go.mod has no %s", module)
	}
	return string(found[1])
}

var every = []string{"openai", "anthropic", "google"}

// said is the text of an answer that the fake gives unless it was told otherwise.
const said = "piece-0 piece-1 piece-2 "

func want[T comparable](what string, got, want T) error {
	if got != want {
		return fmt.Errorf("%s is %v, want %v", what, got, want)
	}
	return nil
}

// sameJSON compares two JSON texts by meaning.
func sameJSON(what, got, wanted string) error {
	var g, w any
	if err := json.Unmarshal([]byte(got), &g); err != nil {
		return fmt.Errorf("%s is no JSON: %q", what, got)
	}
	if err := json.Unmarshal([]byte(wanted), &w); err != nil {
		return err
	}
	a, _ := json.Marshal(g)
	b, _ := json.Marshal(w)
	return want(what, string(a), string(b))
}

// first is the first error of several.
func first(errs ...error) error { return cmp.Or(errs...) }

// listed is an error if a list lacks the model, or has one of another provider.
func listed(models []string, target, model string) error {
	if !slices.Contains(models, model) {
		return fmt.Errorf("the list has no %s: %v", model, models)
	}
	foreign := regexp.MustCompile(map[string]string{"openai": "claude|gemini", "anthropic": "gpt|gemini", "google": "gpt|claude"}[target])
	for _, m := range models {
		if foreign.MatchString(m) {
			return fmt.Errorf("the list has %s, which is not granted", m)
		}
	}
	return nil
}

var errNone = errors.New("there is no error")

const (
	weatherInput = `{"city":"Zürich","days":3}`
	clockInput   = `{"zone":"CET"}`
)

// schema of a person, in the JSON schema that all of them understand.
var personSchema = map[string]any{
	"type": "object", "additionalProperties": false, "required": []string{"name", "age"},
	"properties": map[string]any{"name": map[string]any{"type": "string"}, "age": map[string]any{"type": "integer"}},
}

var weatherSchema = map[string]any{
	"type": "object", "required": []string{"city"},
	"properties": map[string]any{"city": map[string]any{"type": "string"}, "days": map[string]any{"type": "integer"}},
}

var clockSchema = map[string]any{
	"type": "object", "required": []string{"zone"}, "properties": map[string]any{"zone": map[string]any{"type": "string"}},
}

// at30 makes 30 calls at once and joins what went wrong.
func at30(call func() error) error {
	done := make(chan error, 30)
	for range 30 {
		go func() { done <- call() }()
	}
	var all error
	for range 30 {
		all = cmp.Or(all, <-done)
	}
	return all
}
