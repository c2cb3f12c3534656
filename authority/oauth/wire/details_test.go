package wire_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/devrelopers/aipassport/authority/oauth/wire"
	"github.com/devrelopers/aipassport/passport"
)

// TestDetails: what is not exactly an ai_access object is refused, and the member at fault is named (RFC 9396 §5).
func TestDetails(t *testing.T) {
	const good = `{"type":"ai_access","provider":"openai","capabilities":["chat"]`
	for _, c := range []struct{ text, wrong string }{
		{`[` + good + `}]`, ""},
		{`[` + good + `,"models":["gpt-4o"],"maxBudgetCents":500,"maxRequests":0,"rateLimit":1,"clampOutput":true,"expiresAt":1,"maxDelegationDepth":8}]`, ""},
		{`[` + good + `},{"type":"ai_access","provider":"google","capabilities":["chat"]}]`, ""},
		{``, "is not one JSON array"}, {`[`, "is not one JSON array"}, {`{}`, "must be an array"}, {`null`, "must be an array"}, {`[]`, "must have 1 to 8"},
		{`[],"x":1`, "is not one JSON array"}, {`[]} {`, "is not one JSON array"},
		{`[` + strings.Repeat(`{},`, 8) + `{}]`, "must have 1 to 8"},
		{`[1]`, "[0]: Expected object"}, {`[[]]`, "[0]: Expected object"},
		{`[{"provider":"openai","capabilities":["chat"]}]`, "[0]: type: Required"},
		{`[{"type":"payment_initiation","provider":"openai","capabilities":["chat"]}]`, "[0]: type: Invalid enum value"},
		{`[{"type":"AI_ACCESS","provider":"openai","capabilities":["chat"]}]`, "[0]: type: Invalid enum value"},
		{`[` + good + `,"models":["a"],"Models":["b"]}]`, "[0]: Models: Must be spelled 'models'"},
		{`[` + good + `,"max_budget":1}]`, "[0]: max_budget: Unknown member"},
		{`[` + good + `,"locations":["x"]}]`, "[0]: locations: Unknown member"},
		{`[` + good + `,"maxRequests":1,"maxRequests":2}]`, "duplicate members"},
		{`[` + good + `,"\u006daxRequests":1}]`, "Must be spelled 'maxRequests'"},
		{`[` + good + `},` + good + `}]`, "[1]: provider: comes twice"},
		{`[{"type":"ai_access","provider":"secret-lab","capabilities":["chat"]}]`, "[0]: provider: Invalid enum value. Expected 'openai' | 'anthropic' | 'google'"},
		{`[{"type":"ai_access","provider":"openai"}]`, "[0]: capabilities: Required"},
		{`[{"type":"ai_access","provider":"openai","capabilities":[]}]`, "[0]: capabilities: Array must contain"},
		{`[{"type":"ai_access","provider":"openai","capabilities":["chat","chat"]}]`, "[0]: capabilities: 'chat' comes twice"},
		{`[{"type":"ai_access","provider":"openai","capabilities":["fly"]}]`, "[0]: capabilities: Invalid enum value"},
		{`[` + good + `,"maxBudgetCents":-1}]`, "[0]: maxBudgetCents: Number must be"},
		{`[` + good + `,"maxBudgetCents":1.5}]`, "[0]: maxBudgetCents: Expected integer"},
		{`[` + good + `,"maxBudgetCents":"500"}]`, "[0]: maxBudgetCents: Expected number"},
		{`[` + good + `,"maxBudgetCents":null}]`, "[0]: maxBudgetCents: Expected number"},
		{`[` + good + `,"maxBudgetCents":100000000001}]`, "[0]: maxBudgetCents: must be from 0"},
		{`[` + good + `,"maxDelegationDepth":9}]`, "[0]: maxDelegationDepth: must be from 0"},
	} {
		ds, err := wire.Details(c.text, append(passport.Providers[:3:3], "house"))
		if c.wrong == "" {
			if err != nil || len(ds) == 0 || ds[0].Models == nil {
				t.Errorf("%s: got %v %v", c.text, ds, err)
			}
			continue
		}
		if err == nil || wire.From(err).Code != wire.InvalidDetails || !strings.Contains(wire.From(err).Description, c.wrong) {
			t.Errorf("%s: got %v %q, want %q", c.text, ds, wire.From(err), c.wrong)
		}
	}
	if _, err := wire.Details(`[{"type":"ai_access","provider":"house","capabilities":["chat"]}]`, append(passport.Providers[:3:3], "house")); err != nil {
		t.Errorf("an added provider: %v", err)
	}
}

// TestNarrowing: what is left out is not there, so that it inherits.
func TestNarrowing(t *testing.T) {
	got, err := wire.Narrowing(`[{"type":"ai_access","provider":"openai","maxBudgetCents":1}]`)
	want := []passport.Detail{{Provider: passport.OpenAI, MaxBudgetCents: passport.LimitOf(1)}}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(passport.Limit{})); err != nil || d != "" {
		t.Errorf("got %v, (-want +got) %s", err, d)
	}
	if _, err := wire.Narrowing(`[{"type":"ai_access","maxBudgetCents":1}]`); err == nil {
		t.Error("a narrowing without a provider is read")
	}
}

func FuzzDetails(f *testing.F) {
	f.Add(`[{"type":"ai_access","provider":"openai","capabilities":["chat"]}]`)
	f.Add(`[],"authorization_details":[]`)
	f.Fuzz(func(t *testing.T, text string) {
		ds, err := wire.Details(text, passport.Providers)
		if (err == nil) != (len(ds) > 0) {
			t.Errorf("%q: got %v %v", text, ds, err)
		}
		for _, d := range ds {
			if d.Check() != nil || d.Capabilities == nil {
				t.Errorf("%q: got %+v", text, d)
			}
		}
	})
}
