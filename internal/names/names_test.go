package names_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/devrelopers/aipassport/internal/names"
	"pgregory.net/rapid"
)

func TestHostileNamesAreWithheld(t *testing.T) {
	for _, n := range []string{
		"OpenAI", "openai helper", "Open AI", "O p e n A I", "0penAI", "OpenAl", "Chat-GPT", "ChatGPT Desktop", "Anthropic", "Google Sync", "AIPassport", "AI Passport",
		"ai-passport support", "Verified App", "VERIFIED", "Ver1fied", "Veryfied verified", "Official Client", "Trusted", "Safe Notes", "Secure Login", "Admin", "System", "Your Passport",
		"✅ Notes", "Notes ✔", "Notes 🔒", "Notes ™", "Notes ®", "★ Notes", // symbols and emoji
		"ОpenAI", "Nоtes", "Νotes", "Nоtеs", "раyраl", "Google‑Ѕync", // Cyrillic and Greek among Latin
		"ОрепАІ", "оpenаi", // the same, more
		"Notes\u202E", "\u202EsetoN", "No\u200Btes", "No\u00ADtes", "No\u2060tes", "\uFEFFNotes", "Notes\u2028", "Notes\u0000", "Notes\x1b[31m", "No\ntes", "Notes\u3164", "\u115F",
		"Notes\u00A0App", "Notes\u2003App", "Ｎｏｔｅｓ", "𝐍otes", "𝓝otes", "ℕotes", "Ⓝotes", "ﬁle", "Notes²", "x\u0301\u0301\u0301\u0301", "\u0301x", "N\u20DDotes", "Notes\uFE0F", "Notes\uE000", "Notes\U000E0041",
		"https://openai.com", "openai.com", "login at bank.example.com", "paypal.com", "github.com/evil", "evil.dev", "notes@evil.com", "<b>Notes</b>", `"Notes"`, "Notes\\", "٣ Notes", "१२३ Notes",
		"\xff\xfe",
	} {
		if got := names.Judge(n, ""); !got.Withheld || got.Shown != "" || len(got.Spelled) == 0 {
			t.Errorf("%q is shown as %q", n, got.Shown)
		}
	}
}

func TestHonestNamesAreShown(t *testing.T) {
	for _, n := range []string{"Field Notes", "repo-mood", "Patchwork, code review", "Notes 2", "Müller's Büro", "Ceník & účty", "Заметки", "Σημειώσεις", "ノート アプリ", "写真の整理", "메모장", "دفتر",
		"हिन्दी नोट्स", "aider (terminal)", "C# helper", "Node.js tools", "Trusting the process", "Safety dance"} {
		if got := names.Judge(n, ""); got.Withheld || got.Shown != n {
			t.Errorf("%q: %+v", n, got)
		}
	}
	if got := names.Judge(" Field \t Notes ", ""); got.Withheld == false {
		t.Errorf("a tab was taken: %+v", got)
	}
	if got := names.Judge("  Field   Notes  ", ""); got.Shown != "Field Notes" {
		t.Errorf("spaces: %+v", got)
	}
	if got := names.Judge("", ""); got.Withheld || got.Shown != "" {
		t.Errorf("no name: %+v", got)
	}
	if got := names.Judge(strings.Repeat("long ", 100), ""); utf8.RuneCountInString(got.Shown) > names.MaxName+1 || !strings.HasSuffix(got.Shown, "…") {
		t.Errorf("long: %q", got.Shown)
	}
}

func TestAProviderMayUseItsNameWhereItProvedItself(t *testing.T) {
	if got := names.Judge("OpenAI", "openai.com"); got.Withheld {
		t.Error("OpenAI at openai.com is withheld")
	}
	for _, site := range []string{"", "openai.com.evil.example", "anthropic.com", "google.com"} {
		if got := names.Judge("OpenAI", site); !got.Withheld {
			t.Errorf("OpenAI at %q is shown", site)
		}
	}
}

func TestSpelledTextHasNothingHidden(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.String().Draw(t, "name")
		got := names.Judge(n, "")
		if got.Withheld == (got.Shown != "") && got.Withheld {
			t.Fatalf("both withheld and shown: %+v", got)
		}
		for _, p := range got.Spelled {
			if strings.ContainsFunc(p.Text, func(r rune) bool { return !unicode.IsPrint(r) || (r >= 0x250 && r != '…') }) {
				t.Fatalf("%q is spelled with %q", n, p.Text)
			}
		}
		if strings.ContainsFunc(got.Shown, func(r rune) bool {
			return r != '…' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.So, r))
		}) {
			t.Fatalf("%q is shown as %q", n, got.Shown)
		}
	})
}

func TestAddresses(t *testing.T) {
	for _, c := range []struct {
		raw, sub, reg, port string
		loopback, user      bool
	}{
		{raw: "https://notes.example.com/path?q#f", sub: "notes.", reg: "example.com"},
		{raw: "https://NOTES.Example.COM.:443/", sub: "notes.", reg: "example.com"},
		{raw: "http://a.b.example.co.uk:80", sub: "a.b.", reg: "example.co.uk"},
		{raw: "https://x.github.io", reg: "x.github.io"},
		{raw: "https://github.io", reg: "github.io"},
		{raw: "https://com", reg: "com"},
		{raw: "https://example.com:8443/", reg: "example.com", port: ":8443"},
		{raw: "https://bank.example@evil.example/", reg: "evil.example", user: true},
		{raw: "https://bank.example:pw@login.evil.example", sub: "login.", reg: "evil.example", user: true},
		{raw: "https://оpenai.com", reg: "xn--penai-iye.com"},
		{raw: "https://xn--penai-iye.com", reg: "xn--penai-iye.com"},
		{raw: "https://faß.example", reg: "xn--fa-hia.example"},
		{raw: "https://openai。com", reg: "openai.com"},
		{raw: "http://localhost:5173/x", reg: "this computer", loopback: true},
		{raw: "http://app.localhost", reg: "this computer", loopback: true},
		{raw: "http://127.0.0.1:5173", reg: "this computer", loopback: true},
		{raw: "http://127.9.9.9", reg: "this computer", loopback: true},
		{raw: "http://[::1]:80/", reg: "this computer", loopback: true},
		{raw: "http://[::ffff:127.0.0.1]/", reg: "this computer", loopback: true},
		{raw: "http://192.0.2.7:8080", reg: "192.0.2.7", port: ":8080"},
		{raw: "http://[2001:db8::1]/", reg: "[2001:db8::1]"},
		{raw: "https://localhost.evil.example", sub: "localhost.", reg: "evil.example"},
		{raw: "https://127.0.0.1.evil.example", sub: "127.0.0.1.", reg: "evil.example"},
	} {
		s, ok := names.Address(c.raw)
		if !ok || s.Sub != c.sub || s.Registrable != c.reg || s.Port != c.port || s.Loopback != c.loopback || s.UserInfo != c.user {
			t.Errorf("%s: %v %+v", c.raw, ok, s)
		}
	}
}

func TestAddressesThatAreNotShown(t *testing.T) {
	for _, raw := range []string{"", "notes.example.com", "javascript:alert(1)", "data:text/html,x", "mailto:a@b.example", "file:///etc/passwd", "https://", "https:///x", "https:example.com",
		"//example.com", `https:\\example.com`, `https://evil.example\@bank.example`, "https://ex ample.com", "https://exa\tmple.com", "https://example.com\n", "https://exa\u200Bmple.com\u202E",
		"https://2130706433", "https://0x7f000001", "https://127.1", "https://0177.0.0.1", "https://1.2.3.4.5", "https://evil.example%00.bank.example", "https://-a.example", "https://a..b", "https://xn--a",
		"https://" + strings.Repeat("a", 64) + ".example", "https://" + strings.Repeat("a.", 1500) + "example", "\xff", "ftp://example.com", "https://exam%70le.com/\x00"} {
		if s, ok := names.Address(raw); ok {
			t.Errorf("%q is shown as %s%s", raw, s.Sub, s.Registrable)
		}
	}
}

func TestLookalikes(t *testing.T) {
	known := []string{"myfieldnotes.example"}
	for raw, want := range map[string]string{
		"https://оpenai.com": "openai.com", "https://0penai.com": "openai.com", "https://openal.com": "openai.com", "https://opena1.com": "openai.com", "https://opennai.com": "openai.com",
		"https://oepnai.com": "openai.com", "https://openai.com.evil.example": "openai.com", "https://login.openai.com.evil.example": "openai.com", "https://openai.evil.example": "openai.com",
		"https://openai-login.example": "openai.com", "https://secure-openai.example": "openai.com", "https://paypa1.com": "paypal.com", "https://rnicrosoft.com": "microsoft.com",
		"https://аррӏе.com": "apple.com", "https://goog1e.com": "google.com", "https://qooqle.com": "", "https://anthroplc.com": "anthropic.com", "https://ánthropic.com": "anthropic.com",
		"https://myf1eldnotes.example": "myfieldnotes.example", "https://openai.de": "openai.com",
		"https://openai.com": "", "https://chat.openai.com": "", "https://notes.example.com": "", "https://myfieldnotes.example": "", "http://localhost:1": "", "http://192.0.2.1": "", "https://slate.example": "",
	} {
		s, ok := names.Address(raw)
		if !ok {
			t.Errorf("%s is not read", raw)
			continue
		}
		if got := names.Lookalike(s, known); got != want {
			t.Errorf("%s: %q, want %q", raw, got, want)
		}
	}
}

func TestReasonIsQuotedWithoutTricks(t *testing.T) {
	q := names.Quote("Hi\u202E\u200B\x00\x1b[31m\r\n\n\n\nthere\uFEFF" + strings.Repeat("\u0301", 20))
	if q.Text != "Hi[31m\nthere\u0301\u0301" {
		t.Errorf("got %q", q.Text)
	}
	q = names.Quote(strings.Repeat("ab ", 5000))
	if utf8.RuneCountInString(q.Text) != names.ReasonShown || utf8.RuneCountInString(q.Text+q.Rest) > names.MaxReason || q.Length != 15000 {
		t.Errorf("long: %d + %d of %d", utf8.RuneCountInString(q.Text), utf8.RuneCountInString(q.Rest), q.Length)
	}
	rapid.Check(t, func(t *rapid.T) {
		q := names.Quote(rapid.String().Draw(t, "reason"))
		if strings.ContainsFunc(q.Text+q.Rest, func(r rune) bool { return r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) }) {
			t.Fatalf("got %q", q.Text)
		}
	})
}

func TestModelNames(t *testing.T) {
	for n, want := range map[string]bool{"gpt-4o-mini": true, "models/gemini-2.5-flash": true, "claude-sonnet-4@20250514": true, "": false, "gpt 4": false, "gpt-\u202e4": false,
		"gpt-４": false, "<b>": false, strings.Repeat("a", 101): false, "a\n": false} {
		if got := names.ModelName(n); got != want {
			t.Errorf("%q: %v", n, got)
		}
	}
}

func FuzzAddress(f *testing.F) {
	for _, s := range []string{"https://a.b.example", "http://[::1%25eth0]/", "https://xn--penai-iye.com", "https://a@b:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		s, ok := names.Address(raw)
		if !ok {
			return
		}
		if strings.ContainsFunc(s.Sub+s.Registrable+s.Port, func(r rune) bool { return r > '~' || r < ' ' || strings.ContainsRune("@/\\?#<>\"'", r) }) || s.Registrable == "" {
			t.Errorf("%q is shown as %q %q %q", raw, s.Sub, s.Registrable, s.Port)
		}
		names.Lookalike(s, nil)
	})
}
