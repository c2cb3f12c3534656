package openai_test

import (
	"testing"

	"github.com/devrelopers/aipassport/gateway/dialect/openai"
	"github.com/devrelopers/aipassport/passport"
)

// What a reseller says that it takes is kept, whole or streamed; another server's word is not.
func TestWhatAResellerTakesIsTold(t *testing.T) {
	const usage = `"usage":{"prompt_tokens":194,"completion_tokens":2,"cost":`
	for _, c := range []struct {
		cost  string
		sells bool
		want  passport.Money
		known bool
	}{
		{"0.95", true, 950_000, true}, {"1.5e-06", true, 2, true}, {"0", true, 0, true}, {"null", true, 0, true},
		{"-1", true, 0, false}, {`"0.95"`, true, 0, false}, {"1e400", true, 0, false}, {"1e99", true, 0, false}, {"1e-999999999", true, 0, false},
		{"0.95", false, 0, true}, {"-1", false, 0, true},
	} {
		d := openai.NewOther(openai.Other{Quirks: passport.Quirks{CapName: "max_tokens", BoundByPrice: c.sells},
			Price: func(string) (passport.Price, passport.Price, bool) { return 1, 1, true }})
		for _, stream := range []bool{false, true} {
			members, answer := ``, `{"id":"1","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],`+usage+c.cost+`}}`
			if stream {
				members = `,"stream":true`
				answer = `data: {"id":"1","choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":"stop"}]}` + "\n\n" +
					`data: {"id":"1","choices":[],` + usage + c.cost + `}}` + "\n\ndata: [DONE]\n\n"
			}
			r, err := d.Read(in(`{"model":"a/b",` + hello + members + `}`))
			if err != nil {
				t.Fatal(err)
			}
			tap := r.Tap()
			_, failed := tap.Pass([]byte(answer))
			_, u := tap.End()
			if known := failed == nil && u.Known; known != c.known || known && u.Told != c.want {
				t.Errorf("cost %s, sells %v, stream %v: %+v, %v", c.cost, c.sells, stream, u, failed)
			}
		}
	}
}
