package main

import (
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// plain are settings with their defaults, as the command line gives them.
func plain(t *testing.T) settings {
	t.Helper()
	return settings{
		Port: "3001", Data: t.TempDir(), TokenTTL: "3600", OpenAIBase: "https://api.openai.com/v1", AnthropicBase: "https://api.anthropic.com",
		GoogleBase: "https://generativelanguage.googleapis.com", RequestsPerMinute: "30", HeaderTimeout: "10m", IdleTimeout: "5m",
		ReadHeaderTimeout: "10s", BodyTimeout: "60s", MaxBody: "33554432", DrainTimeout: "30s",
		FreshAbove: "20", ChargeCut: "seen", Charge5xx: "nothing", Registration: "on", OIDCJoin: "off",
	}
}

const password = "correct-horse-battery"

// TestBadSettingsAreNamed: one line that names the variable, for each.
func TestBadSettingsAreNamed(t *testing.T) {
	if _, err := plain(t).parse(); err != nil {
		t.Fatalf("the defaults are refused: %v", err)
	}
	for _, c := range []struct {
		name string
		set  func(*settings)
	}{
		{"PORT", func(s *settings) { s.Port = "abc" }},
		{"PORT", func(s *settings) { s.Port = "70000" }},
		{"TOKEN_TTL_SECONDS", func(s *settings) { s.TokenTTL = "" }},
		{"TOKEN_TTL_SECONDS", func(s *settings) { s.TokenTTL = "0" }},
		{"TOKEN_TTL_SECONDS", func(s *settings) { s.TokenTTL = "1.5" }},
		{"AIPASSPORT_FRESH_ABOVE", func(s *settings) { s.FreshAbove = "20 dollars" }},
		{"AIPASSPORT_FRESH_ABOVE", func(s *settings) { s.FreshAbove = "-1" }},
		{"AIPASSPORT_OIDC_ISSUER", func(s *settings) { s.OIDCIssuer = "https://accounts.example.com" }},
		{"AIPASSPORT_OIDC_ISSUER", func(s *settings) { s.OIDCIssuer, s.OIDCClient = "http://accounts.example.com", "x" }},
		{"AIPASSPORT_OIDC_CLIENT_SECRET_FILE", func(s *settings) {
			s.OIDCIssuer, s.OIDCClient, s.OIDCSecret = "https://accounts.example.com", "x", "/nonexistent"
		}},
		{"AIPASSPORT_OIDC_ALLOWED", func(s *settings) {
			s.OIDCIssuer, s.OIDCClient, s.OIDCAllowed = "https://accounts.example.com", "x", "example.com"
		}},
		{"AIPASSPORT_OIDC_ALLOWED", func(s *settings) {
			s.OIDCIssuer, s.OIDCClient, s.OIDCAllowed = "https://accounts.example.com", "x", ","
		}},
		{"AIPASSPORT_OIDC_JOIN", func(s *settings) { s.OIDCJoin = "yes" }},
		{"AIPASSPORT_OIDC_JOIN", func(s *settings) { s.OIDCJoin = "on" }},
		{"AIPASSPORT_OIDC_JOIN", func(s *settings) {
			s.OIDCIssuer, s.OIDCClient, s.OIDCJoin = "https://accounts.example.com", "x", "on"
		}},
		{"JWT_SECRET", func(s *settings) { s.JWTSecret = strings.Repeat("x", 31) }},
		{"AIPASSPORT_OWNER_TOKEN", func(s *settings) { s.OwnerToken = "short" }},
		{"AIPASSPORT_LISTEN", func(s *settings) { s.Listen = "0.0.0.0:3001" }},
		{"AIPASSPORT_LISTEN", func(s *settings) { s.Listen = ":3001" }},
		{"AIPASSPORT_LISTEN", func(s *settings) { s.Listen = "nonsense" }},
		{"AIPASSPORT_PUBLIC_URL", func(s *settings) { s.PublicURL = "http://broker.example" }},
		{"AIPASSPORT_PUBLIC_URL", func(s *settings) { s.PublicURL = "https://broker.example/path" }},
		{"OPENAI_BASE_URL", func(s *settings) { s.OpenAIBase = "ftp://x" }},
		{"GOOGLE_BASE_URL", func(s *settings) { s.GoogleBase = "https://user:pass@x" }},
		{"AIPASSPORT_MAX_BODY", func(s *settings) { s.MaxBody = "-1" }},
		{"AIPASSPORT_STREAM_IDLE_TIMEOUT", func(s *settings) { s.IdleTimeout = "5" }},
		{"AIPASSPORT_CHARGE_CUT", func(s *settings) { s.ChargeCut = "nothing" }},
		{"AIPASSPORT_CHARGE_5XX", func(s *settings) { s.Charge5xx = "void" }},
		{"AIPASSPORT_TLS_KEY", func(s *settings) { s.TLSCert = "/nonexistent" }},
		{"AIPASSPORT_TLS_CERT", func(s *settings) { s.TLSKey = "/nonexistent" }},
		{"AIPASSPORT_TLS_CERT", func(s *settings) { s.TLSCert, s.TLSKey = "/nonexistent", "/nonexistent" }},
		{"AIPASSPORT_BEHIND_PROXY", func(s *settings) { s.BehindProxy = "10.0.0.1" }},
		{"AIPASSPORT_KEK_FILE", func(s *settings) { s.KEKFile = filepath.Join(s.Data, "kek") }},
		{"AIPASSPORT_DATABASE_URL", func(s *settings) { s.DatabaseURL = "mysql://x" }},
		{"AIPASSPORT_VALKEY_URL", func(s *settings) { s.ValkeyURL = "http://u:" + password + "@db" }},
		{"AIPASSPORT_DATABASE_URL", func(s *settings) { s.DatabaseURL = "postgres://broker:" + password + "%zz@db/x" }},
		{"AIPASSPORT_DATABASE_URL", func(s *settings) { s.DatabaseURL = "postgres://broker:" + password + "@db/x?sslmode=some" }},
		{"AIPASSPORT_DATABASE_URL", func(s *settings) { s.DatabaseURL = "postgres://broker@db/x?port=a&password=" + password }},
	} {
		s := plain(t)
		c.set(&s)
		_, err := s.parse()
		if err == nil || !strings.HasPrefix(err.Error(), c.name) {
			t.Errorf("%s: got %v, want an error that begins with its name", c.name, err)
		}
		if err != nil && strings.Contains(err.Error(), password) {
			t.Errorf("%s: %v repeats the password", c.name, err)
		}
	}
}

func TestOpenAIBaseGetsItsVersion(t *testing.T) {
	for text, want := range map[string]string{
		"http://127.0.0.1:3190": "/v1", "http://127.0.0.1:3190/": "/v1", "http://127.0.0.1:3190/v1": "/v1", "http://127.0.0.1:3190/api/v9": "/api/v9"} {
		s := plain(t)
		s.OpenAIBase = text
		c, err := s.parse()
		if err != nil || c.bases["openai"].Path != want {
			t.Errorf("%s: got path %q, %v; want %q", text, c.bases["openai"].Path, err, want)
		}
	}
}

func TestOwnBaseIsRefused(t *testing.T) {
	for text, own := range map[string]bool{
		"http://localhost:3001/v1": true, "http://127.0.0.1:3001": true, "https://broker.example/v1": true, "http://127.0.0.1:3002": false, "https://api.openai.com/v1": false} {
		s := plain(t)
		s.OpenAIBase = text
		c, err := s.parse()
		if err != nil {
			t.Fatal(err)
		}
		public := &url.URL{Scheme: "https", Host: "broker.example"}
		err = c.ownBase(public, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 3001})
		if (err != nil) != own {
			t.Errorf("%s: got %v, want refused %v", text, err, own)
		}
	}
}

func TestSettingsFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "settings")
	t.Setenv("PORT", "4001")
	t.Setenv("AIPASSPORT_MAX_BODY", "")
	os.Unsetenv("AIPASSPORT_MAX_BODY")
	if err := os.WriteFile(file, []byte("# a comment\n\nPORT=5001\nAIPASSPORT_MAX_BODY = 2048\nOPENAI_API_KEY=\"k\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("OPENAI_API_KEY", "from the environment")
	if err := applyFile([]string{"serve", "--config", file}, ""); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"PORT": "4001", "AIPASSPORT_MAX_BODY": "2048", "OPENAI_API_KEY": "from the environment"} {
		if got := os.Getenv(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	if err := os.WriteFile(file, []byte("PROT=5001\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := applyFile(nil, file); err == nil || !strings.Contains(err.Error(), "PROT") || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("got %v, want an error that names the unknown setting and its line", err)
	}
}

func TestOneBrokerADataDirectory(t *testing.T) {
	dir := t.TempDir()
	first, err := lockData(dir)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := lockData(dir); err == nil {
		second.Close()
		t.Error("a second broker may run on the same data")
	}
	first.Close()
	again, err := lockData(dir)
	if err != nil {
		t.Fatalf("after the first has ended: %v", err)
	}
	again.Close()
}

// TestDataDirectoryIsClosedToOthers: made so or closed; one that others write to is left alone and refused.
func TestDataDirectoryIsClosedToOthers(t *testing.T) {
	open := func(mode os.FileMode) string {
		dir := filepath.Join(t.TempDir(), "d")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "x"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir, mode); err != nil { // Mkdir's mode is subject to the umask
			t.Fatal(err)
		}
		return dir
	}
	for name, c := range map[string]struct {
		dir  string
		want os.FileMode
		ok   bool
	}{
		"new":       {filepath.Join(t.TempDir(), "a", "b"), 0o700, true},
		"closed":    {open(0o700), 0o700, true},
		"readable":  {open(0o755), 0o700, true},
		"writable":  {open(0o777), 0o777, false},
		"like /tmp": {open(0o777 | os.ModeSticky), 0o777, false},
	} {
		err := makeData(c.dir)
		info, serr := os.Stat(c.dir)
		if serr != nil || (err == nil) != c.ok || info.Mode().Perm() != c.want {
			t.Errorf("%s: got %v, mode %v; want ok %v, mode %v", name, err, info.Mode().Perm(), c.ok, c.want)
		}
	}
}
