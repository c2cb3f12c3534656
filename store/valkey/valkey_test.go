package valkey_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/devrelopers/aipassport/guard/meter"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/valkeytest"
	"github.com/devrelopers/aipassport/store/rates"
	"github.com/devrelopers/aipassport/store/storetest"
	"github.com/devrelopers/aipassport/store/valkey"
)

func open(t *testing.T, url string, now func() time.Time) *rates.Rates {
	t.Helper()
	r, err := valkey.Open(t.Context(), url, now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func TestRatesKeepTheContract(t *testing.T) {
	storetest.RunRates(t, func(t *testing.T) func(func() time.Time) meter.Rates {
		url := valkeytest.New(t)
		return func(now func() time.Time) meter.Rates { return open(t, url, now) }
	})
}

func client(t *testing.T, url string) rueidis.Client {
	t.Helper()
	o, err := rueidis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	o.DisableCache = true
	c, err := rueidis.NewClient(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// A server that has lost the script is sent it again; one that is gone refuses, and what it kept ends after a minute.
func TestALostScriptAndALostServer(t *testing.T) {
	url := valkeytest.New(t)
	r, c := open(t, url, nil), client(t, url)
	if err := c.Do(t.Context(), c.B().ScriptFlush().Build()).Error(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Take(t.Context(), "g", 0, 2); err != nil {
		t.Errorf("after the script was lost: %v", err)
	}
	left, err := c.Do(t.Context(), c.B().Pttl().Key("aipassport:rate:{g}:0").Build()).AsInt64()
	if err != nil || left <= 0 || left > 60_000 {
		t.Errorf("it is kept for %d ms: %v", left, err)
	}
	c.Do(t.Context(), c.B().Arbitrary("SHUTDOWN", "NOSAVE").Build())
	if _, err := r.Take(t.Context(), "g", 0, 2); problem.KindOf(err) != problem.Unavailable {
		t.Errorf("without a server: %v", err)
	}
}

func TestAnAddressIsCheckedAndNotRepeated(t *testing.T) {
	for _, bad := range []string{"http://user:hunter2@host", "redis://user:hunter2@host:6379/x/y", "redis://user:hunter2@%zz", "hunter2"} {
		err := valkey.Check(bad)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", bad, err)
		}
	}
	for _, good := range []string{"redis://host", "rediss://u:p@host:1/2", "valkey://host:6379", "unix:///run/valkey.sock"} {
		if err := valkey.Check(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	if _, err := valkey.Open(t.Context(), "redis://u:hunter2@127.0.0.1:1", nil, slog.New(slog.DiscardHandler)); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("nobody there: %v", err)
	}
}
