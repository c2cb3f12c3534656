package admin_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/passport"
)

// happen adds n events about a, the last of which is a stop of all.
func (w *world) happen(n int) {
	w.add("a", passport.GrantActive, passport.Balance{Cap: 5e6})
	for i := range n {
		w.events = append(w.events, passport.Event{ID: passport.EventID(fmt.Sprint("ev", i)), Kind: passport.GrantWasPaused, At: w.now.Add(time.Duration(i) * time.Second), Actor: "app:a", Grant: "a", Note: fmt.Sprint("note ", i)})
	}
	w.events = append(w.events, passport.Event{ID: "stop", Kind: passport.AppsStopped, At: w.now, Actor: "owner:p1", Note: "<b>\u202e"})
}

func TestWhatHappenedIsToldInWords(t *testing.T) {
	w := newWorld(t)
	if page := w.get("/activity").Body.String(); !strings.Contains(page, "Nothing has happened yet") {
		t.Error("the empty page does not teach")
	}
	w.happen(120)
	w.events = append(w.events, passport.Event{ID: "gone", Kind: passport.GrantRequested, At: w.now, Actor: "app:gone", Grant: "gone"},
		passport.Event{ID: "new", Kind: "some.new_thing", At: w.now, Actor: "operator"})
	page := w.get("/activity").Body.String()
	for _, want := range []string{"All apps stopped", "the owner", "a.example.com", `href="/grants/a"`, "a request that is forgotten", "Some new thing", "the operator, on the machine", "note 119", "&lt;b&gt;", ">Everything<"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if strings.Contains(page, "note 50") || strings.Contains(page, "<b>\u202e") || strings.Contains(page, "erif") {
		t.Error("the page has too much, or promises proof")
	}
	// Every event once, by the links.
	seen := map[string]int{}
	for path, n := "/activity", 0; path != ""; n++ {
		if n > 5 {
			t.Fatal("the links do not end")
		}
		page := w.get(path).Body.String()
		for _, note := range regexp.MustCompile(`note \d+`).FindAllString(page, -1) {
			seen[note]++
		}
		path = ""
		if older := regexp.MustCompile(`href="([^"]+)">Older`).FindStringSubmatch(page); older != nil {
			path = html.UnescapeString(older[1])
		}
	}
	for i := range 120 {
		if n := seen[fmt.Sprint("note ", i)]; n != 1 {
			t.Errorf("note %d is shown %d times", i, n)
		}
	}
	if page := w.get("/activity?app=a").Body.String(); strings.Contains(page, "All apps stopped") || !strings.Contains(page, "note 119") || !strings.Contains(page, `value="a" selected`) {
		t.Error("one app's is not its own")
	}
	if rec := w.get("/activity?app=nothing"); rec.Code != 404 {
		t.Errorf("no such app: %d", rec.Code)
	}
}

func TestWhatHappenedIsExported(t *testing.T) {
	w := newWorld(t)
	w.happen(1200)
	rec := w.get("/activity.json")
	var file struct {
		Events []struct{ ID, At, Kind, Actor, GrantID, Note string }
		Next   *int64
	}
	if err := json.Unmarshal(rec.Body.Bytes(), &file); err != nil || file.Next == nil || *file.Next != 0 || len(file.Events) != 1201 {
		t.Fatalf("%v, %d events, next %v", err, len(file.Events), file.Next)
	}
	if e := file.Events[0]; e.ID != "stop" || e.Kind != "apps.stopped" || e.Actor != "owner:p1" || e.Note != "<b>\u202e" || e.At != "2026-11-23T15:04:00Z" {
		t.Errorf("got %+v", e)
	}
	if h := rec.Header(); h.Get("Content-Type") != "application/json" || !strings.HasPrefix(h.Get("Content-Disposition"), "attachment") || h.Get("Cache-Control") != "no-store" {
		t.Errorf("got %v", h)
	}
	w.broken = errors.New("disk")
	if rec := w.get("/activity.json"); rec.Code < 500 || strings.Contains(rec.Body.String(), "disk") {
		t.Errorf("a broken store: %d", rec.Code)
	}
	// One that breaks on the way is cut: it does not look whole.
	w.broken, w.breakAfter = nil, 2
	defer func() {
		if cause := recover(); cause != http.ErrAbortHandler {
			t.Errorf("got %v", cause)
		}
	}()
	w.get("/activity.json")
	t.Error("a broken export ended as if it were whole")
}
