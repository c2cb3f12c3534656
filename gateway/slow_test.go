package gateway_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/internal/fakeprovider"
	"github.com/devrelopers/aipassport/passport"
)

// slow is a client that takes five seconds for each piece, on the test's clock.
type slow struct {
	http.ResponseWriter
	past *atomic.Int64
}

const perWrite = 5 * time.Second

func (s slow) Write(p []byte) (int, error) {
	s.past.Add(int64(perWrite))
	return s.ResponseWriter.Write(p)
}

func (s slow) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// TestUnreadTimeIsCharged. Where it is the provider that takes its time, the broker has always read all that there is, and only the
// time since the last piece is charged. Where it is the client, the answer may lie in buffers, made and billed, and the whole time is.
func TestUnreadTimeIsCharged(t *testing.T) {
	cost := func(tick time.Duration, slowClient bool) (charged, hold passport.Money) {
		var past atomic.Int64
		start := time.Now()
		d := openWith(t, setup{provider: passport.OpenAI, idle: time.Minute, now: func() time.Time { return start.Add(time.Duration(past.Add(int64(tick)))) }})
		mux, over := http.NewServeMux(), make(chan struct{})
		for _, rt := range d.gw.Routes() {
			mux.HandleFunc(rt.Pattern, func(w http.ResponseWriter, r *http.Request) {
				defer close(over)
				if slowClient {
					w = slow{w, &past}
				}
				rt.Handler(w, r)
			})
		}
		d.srv = httptest.NewServer(mux)
		t.Cleanup(d.srv.Close)
		const pieces = 6
		gate := make(chan struct{})
		d.fake.Next(fakeprovider.Behaviour{Chunks: pieces, Gate: gate, BeforeEnd: make(chan struct{})})
		res := d.ask(t, scripts[0].path, strings.Replace(scripts[0].body, "5000", "25000", 1))
		hold = d.hold(t, res)
		for i := range pieces {
			gate <- struct{}{}
			buf := make([]byte, 4096)
			for got := ""; !strings.Contains(got, "piece-"+strconv.Itoa(i)); {
				n, err := res.Body.Read(buf)
				if err != nil {
					t.Fatal(err)
				}
				got += string(buf[:n])
			}
		}
		res.Body.Close()
		<-over
		return d.balance(t).Settled, hold
	}
	seconds := func(n int64) passport.Money { return passport.Money(n * 400 * 600_000 / 1_000_000) } // of gpt-4o-mini's output
	atOnce, hold := cost(0, false)
	// Each look at the clock takes a second, so every read has waited; a handful of looks come after the last.
	if provider, _ := cost(time.Second, false); provider-atOnce < seconds(1) || provider-atOnce > seconds(5) {
		t.Errorf("a slow provider costs %d more than one that answers at once: want that of 1 to 5 seconds, %d to %d", provider-atOnce, seconds(1), seconds(5))
	}
	// Six pieces or seven: the start of the stream may come with the first of them.
	if client, _ := cost(0, true); client-atOnce < seconds(30)-5 || client-atOnce > seconds(35)+5 || client >= hold {
		t.Errorf("a slow client costs %d more, held were %d: want that of 30 to 35 seconds, %d to %d", client-atOnce, hold, seconds(30), seconds(35))
	}
}
