package fields_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/devrelopers/aipassport/internal/fields"
	"github.com/devrelopers/aipassport/internal/problem"
)

// grantRequest reads a body with every kind of check.
func grantRequest(body string) (*fields.Object, error) {
	o, err := fields.Read([]byte(body), "appName", "appUrl", "scope", "reason")
	if err != nil {
		return nil, err
	}
	o.String("appName", 1)
	o.String("reason", 1)
	scope := o.Object("scope", "provider", "models", "maxBudgetCents")
	scope.Enum("provider", "openai", "anthropic", "google")
	scope.Strings("models")
	scope.Enums("capabilities", "chat", "code")
	scope.OptInt("maxBudgetCents", 0)
	return o, o.Err()
}

func TestEveryFailureAtOnceInTheSeedsWords(t *testing.T) {
	const good = `"provider":"openai","models":[],"capabilities":["chat"]`
	for _, c := range []struct {
		name, body string
		form       []string
		fields     map[string][]string
	}{
		{"good", `{"appName":"a","reason":"r","scope":{` + good + `},"more":1}`, nil, nil},
		{"all missing", `{}`, nil, map[string][]string{"appName": {"Required"}, "reason": {"Required"}, "scope": {"Required"}}},
		{"wrong kinds", `{"appName":1,"reason":null,"scope":[]}`, nil, map[string][]string{
			"appName": {"Expected string, received number"}, "reason": {"Expected string, received null"}, "scope": {"Expected object, received array"}}},
		{"empty", `{"appName":"","reason":"r","scope":{` + good + `}}`, nil, map[string][]string{"appName": {"String must contain at least 1 character(s)"}}},
		{"inside scope", `{"appName":"a","reason":"r","scope":{"provider":"x","models":[1,"a",true],"capabilities":[1,"fly"],"maxBudgetCents":-1}}`, nil,
			map[string][]string{"scope": {"Invalid enum value. Expected 'openai' | 'anthropic' | 'google', received 'x'",
				"Expected string, received number", "Expected string, received boolean", "Expected 'chat' | 'code', received number",
				"Invalid enum value. Expected 'chat' | 'code', received 'fly'", "Number must be greater than or equal to 0"}}},
		{"fraction", `{"appName":"a","reason":"r","scope":{` + good + `,"maxBudgetCents":1.5}}`, nil, map[string][]string{"scope": {"Expected integer, received float"}}},
		{"exponent", `{"appName":"a","reason":"r","scope":{` + good + `,"maxBudgetCents":1e3}}`, nil, nil},
		{"negative fraction", `{"appName":"a","reason":"r","scope":{` + good + `,"maxBudgetCents":-0.5}}`, nil, map[string][]string{"scope": {"Expected integer, received float", "Number must be greater than or equal to 0"}}},
		{"huge exponent", `{"appName":"a","reason":"r","scope":{` + good + `,"maxBudgetCents":1e308}}`, nil, map[string][]string{"scope": {"Number must be less than or equal to 9007199254740991"}}},
		{"infinite", `{"appName":"a","reason":"r","scope":{` + good + `,"maxBudgetCents":1e400}}`, nil, map[string][]string{"scope": {"Expected integer, received float"}}},
		{"huge", `{"appName":"a","reason":"r","scope":{` + good + `,"maxBudgetCents":9007199254740992}}`, nil, map[string][]string{"scope": {"Number must be less than or equal to 9007199254740991"}}},
		{"past int64", `{"appName":"a","reason":"r","scope":{` + good + `,"maxBudgetCents":99999999999999999999}}`, nil, map[string][]string{"scope": {"Number must be less than or equal to 9007199254740991"}}},
		{"null number", `{"appName":"a","reason":"r","scope":{` + good + `,"maxBudgetCents":null}}`, nil, map[string][]string{"scope": {"Expected number, received null"}}},
		{"list", `[]`, []string{"Expected object, received array"}, nil},
		{"text", `"x"`, []string{"Expected object, received string"}, nil},
		{"case variant", `{"APPNAME":"b"}`, nil, map[string][]string{"APPNAME": {"Must be spelled 'appName'"}}},
		{"kelvin sign", `{"appName":"a","rea\u017fon":"r"}`, nil, map[string][]string{"reaſon": {"Must be spelled 'reason'"}}},
		{"escaped", `{"app\u004eame":"b"}`, nil, map[string][]string{"appName": {"Must be spelled 'appName'"}}},
		{"inner case variant", `{"appName":"a","reason":"r","scope":{` + good + `,"Models":[]}}`, nil, map[string][]string{"scope": {"Must be spelled 'models'"}}},
		{"twice", `{"appName":"a","appName":"b"}`, nil, map[string][]string{"appName": {"Duplicate member 'appName'"}}},
		{"twice by escape", `{"appName":"a","app\u004eame":"b"}`, nil, map[string][]string{"appName": {"Duplicate member 'appName'"}}},
		{"twice inside", `{"scope":{"x":[{"a":1,"a":2}]}}`, nil, map[string][]string{"scope": {"Duplicate member 'a'"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := grantRequest(c.body)
			if c.form == nil && c.fields == nil {
				if err != nil {
					t.Fatalf("got %v, want no error", err)
				}
				return
			}
			e, ok := errors.AsType[*fields.Error](err)
			if !ok {
				t.Fatalf("got %v, want a fields.Error", err)
			}
			if d := cmp.Diff(c.form, e.Form); d != "" {
				t.Errorf("form: %s", d)
			}
			if d := cmp.Diff(c.fields, e.Fields); d != "" {
				t.Errorf("fields: %s", d)
			}
			if problem.KindOf(err) != problem.Invalid {
				t.Errorf("unshaped it is %v, want Invalid", problem.KindOf(err))
			}
		})
	}
}

func TestWhatIsNoJSONIsInvalid(t *testing.T) {
	for name, body := range map[string]string{
		"nothing": "", "mark": "\ufeff{}", "trailing": "{} {}", "garbage": "{}x", "comma": `{"a":1,}`, "cut": `{"a":`, "bad UTF-8": "{\"a\":\"\xff\"}",
		"lone surrogate": `{"a":"\ud800"}`, "single quotes": "{'a':1}", "NaN": `{"a":NaN}`, "deep": `{"a":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + `}`,
		"very deep": strings.Repeat("[", 100_000),
	} {
		_, err := fields.Read([]byte(body), "a")
		if _, ok := errors.AsType[*fields.Error](err); ok || problem.KindOf(err) != problem.Invalid {
			t.Errorf("%s: got %v, want a problem of kind Invalid", name, err)
		}
	}
	if _, err := fields.Read([]byte(`{"a":`+strings.Repeat("[", 63)+strings.Repeat("]", 63)+`}`), "a"); err != nil {
		t.Errorf("depth 64: %v", err)
	}
}

func TestValuesComeBack(t *testing.T) {
	o, err := fields.Read([]byte(" {\"s\" : \"\\u0041\" , \"n\":\t-12,\"b\":true,\"x\":1.50,\"l\":[ 1 , {\"k\":[2]} ],\"z\":null}\n"))
	if err != nil {
		t.Fatal(err)
	}
	s := o.String("s", 1)
	n := o.Int("n", -20)
	b, _ := o.OptBool("b")
	_, missing := o.OptString("nope")
	list := o.Array("l")
	if s != "A" || n != -12 || !b || missing || string(o.OptNumber("x")) != "1.50" || !o.Has("z") || len(list) != 2 || string(list[1]) != `{"k":[2]}` {
		t.Errorf("got %q %d %v %v %s %v %q", s, n, b, missing, o.OptNumber("x"), o.Has("z"), list)
	}
	if in := o.Inside("l", list[1], "k"); len(in.Array("k")) != 1 {
		t.Errorf("the list inside has %d elements, want 1", len(in.Array("k")))
	}
	if err := o.Err(); err != nil {
		t.Error(err)
	}
}

// TestWholeNumbersHoweverTheyAreWritten: the number counts, not its spelling, and no digit is lost on the way.
func TestWholeNumbersHoweverTheyAreWritten(t *testing.T) {
	const most = 1<<53 - 1
	for text, want := range map[string]int64{
		"0": 0, "-0": 0, "-0.0": 0, "0e9999999999999999999": 0, "0.000e-5": 0, "1000": 1000, "1e3": 1000, "1E+3": 1000, "1000.0": 1000, "10000e-1": 1000,
		"0.001e6": 1000, "1.2345e4": 12345, "9007199254740991": most, "9.007199254740991e15": most, "90071992547409910000e-4": most, "-12.0": -12, "-1.2e1": -12,
	} {
		o, err := fields.Read([]byte(`{"n":` + text + `}`))
		if err != nil {
			t.Fatal(err)
		}
		if n, ok := o.OptInt("n", -20); n != want || !ok || o.Err() != nil {
			t.Errorf("%s: got %d %v %v, want %d", text, n, ok, o.Err(), want)
		}
	}
	const fraction, low, high = "Expected integer, received float", "Number must be greater than or equal to -20", "Number must be less than or equal to 9007199254740991"
	for text, want := range map[string][]string{
		"1e-1": {fraction}, "0.5": {fraction}, "-0.5": {fraction}, "-19.5": {fraction}, "-20.5": {fraction, low}, "-20.0": nil, "-21": {low}, "-1e1": nil, "-1e18": {low},
		"1e-99999999999999999999": {fraction}, "-1e-99999999999999999999": {fraction}, "9007199254740992": {high}, "1e16": {high}, "9e307": {high}, "1e309": {fraction},
		"9007199254740991.5": {fraction}, "123456789012345678901234567890.5": {fraction}, "-123456789012345678901234567890.5": {fraction, low},
		"1e99999999999999999999": {fraction}, "-1e99999999999999999999": {fraction, low}, "-9223372036854775808": {low}, "9223372036854775807": {high},
	} {
		o, err := fields.Read([]byte(`{"n":` + text + `}`))
		if err != nil {
			t.Fatal(err)
		}
		_, ok := o.OptInt("n", -20)
		e, _ := errors.AsType[*fields.Error](o.Err())
		var got []string
		if e != nil {
			got = e.Fields["n"]
		}
		if d := cmp.Diff(want, got); d != "" || ok != (want == nil) {
			t.Errorf("%s: %v %s", text, ok, d)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":1,"A":2}`, `{"a":[{"b":null}]}`, "[", "\xff", `{"a":1e400}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		o, err := fields.Read(body, "a", "b")
		if err != nil {
			if problem.KindOf(err) != problem.Invalid {
				t.Fatalf("%q: %v is not Invalid", body, err)
			}
			return
		}
		o.String("a", 1)
		o.Array("a")
		o.OptInt("b", 0)
		in := o.Object("b", "a")
		in.Enum("a", "x")
		_ = o.Err()
	})
}

// TestCausesNameNoMembers: the cause of an error goes to the log, and the caller's own names do not.
func TestCausesNameNoMembers(t *testing.T) {
	for _, body := range []string{`{"canary":tru}`, `{"canary":[1,]}`, `{"canary":"\q"}`, `{"canary`} {
		_, err := fields.Read([]byte(body))
		if p := problem.From(err); p == nil || p.Kind != problem.Invalid || p.Cause == nil || strings.Contains(p.Cause.Error(), "canary") {
			t.Errorf("%s: %v", body, err)
		}
	}
}
