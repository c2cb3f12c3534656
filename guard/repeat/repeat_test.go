package repeat_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/devrelopers/aipassport/guard/repeat"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/seal"
	"github.com/devrelopers/aipassport/passport"
)

// shelf is a store of one call.
type shelf struct {
	first passport.First
	kept  []byte
}

func (s *shelf) First(_ context.Context, g passport.GrantID, key [32]byte, _ time.Time) (passport.First, error) {
	if key != s.first.Claim.Key || g != s.first.Call.Grant {
		return passport.First{}, problem.New(problem.NotFound, "no")
	}
	f := s.first
	f.Kept = s.kept
	return f, nil
}

func (s *shelf) KeepAnswer(_ context.Context, _ passport.GrantID, _ passport.ReservationID, sealed []byte, _ time.Time) error {
	s.kept = bytes.Clone(sealed)
	return nil
}

func (s *shelf) SweepClaims(context.Context, time.Time) (int64, error) { return 0, nil }

func keeper(t *testing.T, file string) (*repeat.Keeper, *shelf) {
	t.Helper()
	box, err := seal.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	s := &shelf{}
	return &repeat.Keeper{Store: s, Box: box, Now: time.Now}, s
}

func TestAnAnswerIsSealedToItsCall(t *testing.T) {
	ctx := context.Background()
	k, s := keeper(t, t.TempDir()+"/kek")
	c, err := k.Claim("g1", "order-17", []byte("POST"), []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	s.first = passport.First{Claim: c, Call: passport.Reservation{ID: "r1", Grant: "g1", Actual: 7}}
	want := repeat.Answer{Stream: true, Type: "text/event-stream", Body: []byte("data: the answer\n\n")}
	if err := k.Keep(ctx, "g1", "r1", want); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(s.kept, []byte("the answer")) {
		t.Error("the answer is stored in clear")
	}
	e, err := k.Earlier(ctx, "g1", c)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(repeat.Earlier{Call: s.first.Call, Answer: &want}, e); d != "" {
		t.Error(d)
	}
	s.first.Call.ID = "r2" // the row was moved to another call
	if e, err := k.Earlier(ctx, "g1", c); problem.KindOf(err) != problem.Unavailable || e.Answer != nil {
		t.Errorf("got %v and %v, want that it does not open", e, err)
	}
	big := want
	big.Body = make([]byte, repeat.MaxAnswer+1)
	if err := k.Keep(ctx, "g1", "r1", big); problem.KindOf(err) != problem.Invalid {
		t.Errorf("a large answer: got %v", err)
	}
	big.Body = big.Body[1:]
	if err := k.Keep(ctx, "g1", "r1", big); err != nil {
		t.Errorf("the largest answer: got %v", err)
	}
}

func TestKeysAreHashedUnderTheKeyFile(t *testing.T) {
	file := t.TempDir() + "/kek"
	k, _ := keeper(t, file)
	claim := func(k *repeat.Keeper, g passport.GrantID, key string, parts ...string) passport.Claim {
		t.Helper()
		var bs [][]byte
		for _, p := range parts {
			bs = append(bs, []byte(p))
		}
		c, err := k.Claim(g, key, bs...)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	one := claim(k, "g", "key", "POST", "/a", "body")
	again, _ := keeper(t, file)
	if claim(again, "g", "key", "POST", "/a", "body") != one {
		t.Error("another start hashes otherwise")
	}
	foreign, _ := keeper(t, t.TempDir()+"/kek")
	if c := claim(foreign, "g", "key", "POST", "/a", "body"); c.Key == one.Key || c.Body == one.Body {
		t.Error("another installation has the same hash: a guess could be tried")
	}
	if c := claim(k, "h", "key", "POST", "/a", "body"); c.Key == one.Key {
		t.Error("two grants have the same hash")
	}
	if c := claim(k, "g", "key2", "POST", "/a", "body"); c.Key == one.Key || c.Body != one.Body {
		t.Error("another key: want another hash of the key alone")
	}
	for _, parts := range [][]string{{"POST", "/a", "bodY"}, {"POST", "/b", "body"}, {"PUT", "/a", "body"}, {"POST", "/ab", "ody"}, {"POST/a", "", "body"}} {
		if c := claim(k, "g", "key", parts...); c.Body == one.Body || c.Key != one.Key {
			t.Errorf("%q: want another hash of the body alone", parts)
		}
	}
}

func TestAKeyHasItsBounds(t *testing.T) {
	k, _ := keeper(t, t.TempDir()+"/kek")
	for key, ok := range map[string]bool{
		"": false, "a": true, strings.Repeat("x", 255): true, strings.Repeat("x", 256): false, "a\nb": false, "a\x7f": false, "ä": false, `"8e03978e"`: true, "a b": true,
	} {
		_, err := k.Claim("g", key, nil)
		if ok != (err == nil) {
			t.Errorf("%.20q: got %v", key, err)
		}
		if p := problem.From(err); err != nil && (p.Kind != problem.Invalid || p.Field != "Idempotency-Key") {
			t.Errorf("%.20q: got %v, want the field named", key, err)
		}
	}
}
