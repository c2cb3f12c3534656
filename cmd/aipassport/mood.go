package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	repomood "github.com/devrelopers/aipassport/examples/repo-mood"
	"github.com/devrelopers/aipassport/internal/fakeprovider"
)

// demoRepo is a made-up repository of the demo's GitHub. Lists stop at 100, as one page of GitHub's does.
type demoRepo struct {
	stars, commits, issues, pulls, branches int
	pushed                                  time.Duration // ago
	description                             string
}

var demoRepos = map[string]demoRepo{
	"demo/garden": {stars: 1204, pushed: 3 * time.Hour, commits: 42, issues: 18, pulls: 7, branches: 9, description: "Beds, seeds and when to water"},
	"demo/inbox":  {stars: 9310, pushed: 30 * time.Hour, commits: 25, issues: 100, pulls: 48, branches: 61, description: "Every message, in one place"},
	"demo/attic":  {stars: 77, pushed: 700 * 24 * time.Hour, issues: 4, pulls: 1, branches: 1, description: "Things that may be useful some day"},
}

const moodNote = "This is the demo: it works without a network. GitHub's answers are made up (demo/garden, demo/inbox, demo/attic), and the model is the " +
	"sandbox's, which is no AI and sends no bill. The broker, the consent and the limits are the real ones."

// showMood serves the example app until ctx ends. Its origin is another host than the broker's, so that no cookie is shared: browsers keep
// cookies by host, whatever the port (RFC 6265 section 8.5).
func (c *demoCmd) showMood(ctx context.Context, s *story) error {
	page, stop, err := fakeprovider.Serve(moodApp(s.public))
	if err != nil {
		return fmt.Errorf("serve repo-mood: %w", err)
	}
	defer stop()
	s.say("\nAn app to try, repo-mood, is at %s/\n", page)
	if !c.NoBrowser {
		openBrowser(page + "/")
	}
	<-ctx.Done()
	return nil
}

// moodApp is the page, its settings, and the made-up GitHub below /github.
func moodApp(broker string) http.Handler {
	policy := "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; " +
		"require-trusted-types-for 'script'; trusted-types 'none'; connect-src 'self' https://api.github.com https://api.anthropic.com " + broker
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(repomood.Files))
	mux.HandleFunc("GET /settings.json", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, map[string]string{"broker": broker, "token-broker": broker, "provider": "sandbox", "model": sandboxModel,
			"github": "http://" + r.Host + "/github", "repo": "demo/garden", "note": moodNote})
	})
	mux.HandleFunc("GET /github/repos/{owner}/{name}", madeUp)
	mux.HandleFunc("GET /github/repos/{owner}/{name}/{list}", madeUp)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		mux.ServeHTTP(w, r)
	})
}

// madeUp answers as GitHub's REST API does, as far as the page reads it
// (docs.github.com/en/rest/repos/repos#get-a-repository, docs.github.com/en/rest/issues/issues#list-repository-issues).
func madeUp(w http.ResponseWriter, r *http.Request) {
	repo, ok := demoRepos[r.PathValue("owner")+"/"+r.PathValue("name")]
	if !ok {
		notFound(w)
		return
	}
	switch r.PathValue("list") {
	case "":
		writeJSON(w, map[string]any{"stargazers_count": repo.stars, "pushed_at": time.Now().Add(-repo.pushed).UTC().Format(time.RFC3339),
			"description": repo.description, "language": "Go"})
	case "commits":
		writeJSON(w, entries(repo.commits, 0))
	case "issues": // pull requests are among them
		writeJSON(w, entries(repo.issues, min(repo.pulls, 100-repo.issues)))
	case "pulls":
		writeJSON(w, entries(repo.pulls, 0))
	case "branches":
		writeJSON(w, entries(repo.branches, 0))
	default:
		notFound(w)
	}
}

func notFound(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusNotFound)
	w.Write([]byte(`{"message":"Not Found","status":"404"}`))
}

// entries are a list's, of which only the number counts, and whether one is a pull request.
func entries(n, pulls int) []map[string]any {
	list := make([]map[string]any, 0, n+pulls)
	for i := range n + pulls {
		e := map[string]any{"number": i + 1}
		if i >= n {
			e["pull_request"] = map[string]string{}
		}
		list = append(list, e)
	}
	return list
}

// writeJSON writes values that can always be written.
func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v)
}

// sandboxMood answers the page's prompt by a rule, so that the demo has moods to show. Empty: another app's request.
func sandboxMood(body []byte) string {
	var call struct {
		Messages []struct{ Content json.RawMessage }
	}
	if json.Unmarshal(body, &call) != nil || len(call.Messages) == 0 {
		return ""
	}
	text := messageText(call.Messages[len(call.Messages)-1].Content)
	_, after, found := strings.Cut(text, "Signals (data, not instructions):\n")
	if !found {
		return ""
	}
	var s moodSignals
	if json.NewDecoder(strings.NewReader(after)).Decode(&s) != nil {
		return ""
	}
	mood, reading := s.mood()
	var b bytes.Buffer
	if json.NewEncoder(&b).Encode(map[string]string{"mood": mood, "reading": reading}) != nil {
		return ""
	}
	return strings.TrimSpace(b.String())
}

// messageText is what a message says, as one text or as the first of its parts.
func messageText(content json.RawMessage) string {
	var text string
	var parts []struct{ Text string }
	if json.Unmarshal(content, &text) != nil && json.Unmarshal(content, &parts) == nil && len(parts) > 0 {
		text = parts[0].Text
	}
	return text
}

// moodSignals are the numbers in the page's prompt.
type moodSignals struct {
	Stars, Commits, Issues, Pulls, Branches, DaysSinceLastPush int
}

func (s moodSignals) mood() (mood, reading string) {
	switch {
	case s.DaysSinceLastPush > 365:
		return "abandoned", fmt.Sprintf("Nobody has pushed for %d days, and the dust has settled on %d open issues.", s.DaysSinceLastPush, s.Issues)
	case s.DaysSinceLastPush > 90:
		return "dormant", fmt.Sprintf("It has slept for %d days, and somebody may yet wake it.", s.DaysSinceLastPush)
	case s.Issues >= 60 || s.Pulls >= 40:
		return "overwhelmed", fmt.Sprintf("%d open issues and %d pull requests wait, and only %d commits came this month.", s.Issues, s.Pulls, s.Commits)
	case s.Commits >= 60:
		return "excited", fmt.Sprintf("%d commits in a month: something is about to happen here.", s.Commits)
	case s.Commits >= 20 && s.Pulls >= 5:
		return "thriving", fmt.Sprintf("%d commits this month and %d pull requests on their way: people like to be here.", s.Commits, s.Pulls)
	case s.Commits >= 10:
		return "focused", fmt.Sprintf("%d commits and few open ends: it knows what it wants.", s.Commits)
	}
	return "coasting", "All is well, and nothing is in a hurry."
}
