package archtest_test

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/devrelopers/aipassport/internal/archtest"
)

// The architecture of this repository.
func TestArchitecture(t *testing.T) {
	found, err := archtest.Check(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		t.Error(f)
	}
}

const ours = "github.com/devrelopers/aipassport/"

// source is a file of a package with a comment, imports and a body.
func source(pkg, body string, imports ...string) string {
	s := "// Package " + pkg + " is here.\npackage " + pkg + "\n"
	for _, i := range imports {
		if !strings.ContainsAny(i, " ") {
			i = `"` + i + `"`
		}
		s += "import " + i + "\n"
	}
	return s + body
}

// Every rule, broken once. A row with an empty want must pass: it shows that its neighbour fails for its own reason.
func TestRulesBite(t *testing.T) {
	long := func(n int) string { return "func f() {\n" + strings.Repeat("_ = 1\n", n) + "}\n" }
	for _, r := range []struct {
		name, file, text, want string
	}{
		{"nothing", "passport/a.go", source("passport", ""), ""},
		{"no comment", "passport/a.go", "package passport\n", "passport has no package comment"},
		{"comment of another", "passport/a.go", "// Package other is.\npackage passport\n", "passport has no package comment"},
		{"comment apart", "passport/a.go", "// Package passport is.\n\npackage passport\n", "passport has no package comment"},
		{"command", "cmd/aipassport/a.go", "// Command aipassport is.\npackage main\n", ""},
		{"command's comment", "cmd/aipassport/a.go", "// Package main is.\npackage main\n", "cmd/aipassport has no package comment"},
		{"no rule", "helpers/a.go", source("helpers", ""), "helpers has no rule: give it one in internal/archtest"},
		{"no rule below", "guard/token/deep/a.go", source("deep", ""), "guard/token/deep has no rule: give it one in internal/archtest"},
		{"root", "a.go", source("aipassport", ""), ". has no rule: give it one in internal/archtest"},

		{"passport and problem", "passport/a.go", source("passport", "", ours+"internal/problem"), ""},
		{"passport and secret", "passport/a.go", source("passport", "", ours+"internal/secret"), "passport/a.go may not import internal/secret"},
		{"passport and guard", "passport/a.go", source("passport", "", ours+"guard/meter"), "passport/a.go may not import guard/meter"},
		{"owner and owner", "guard/vault/a.go", source("vault", "", ours+"guard/token"), "guard/vault/a.go may not import guard/token"},
		{"gateway and guard", "gateway/a.go", source("gateway", "", ours+"guard/token"), ""},
		{"gateway and authority", "gateway/a.go", source("gateway", "", ours+"authority"), "gateway/a.go may not import authority"},
		{"authority and gateway", "authority/a.go", source("authority", "", ours+"gateway"), "authority/a.go may not import gateway"},
		{"authority and upstream", "authority/admin/a.go", source("admin", "", ours+"gateway/upstream"), "authority/admin/a.go may not import gateway/upstream"},
		{"authority and its own", "authority/admin/a.go", source("admin", "", ours+"authority"), ""},
		{"authority and each other", "authority/admin/a.go", source("admin", "", ours+"authority/consent"), "authority/admin/a.go may not import authority/consent"},
		{"dialects and each other", "gateway/dialect/openai/a.go", source("openai", "", ours+"gateway/dialect/gemini"), "gateway/dialect/openai/a.go may not import gateway/dialect/gemini"},
		{"dialect and upstream", "gateway/dialect/openai/a.go", source("openai", "", ours+"gateway/upstream"), "gateway/dialect/openai/a.go may not import gateway/upstream"},
		{"upstream and guard", "gateway/upstream/a.go", source("upstream", "", ours+"guard/vault"), "gateway/upstream/a.go may not import guard/vault"},
		{"store and its user", "store/sqlite/a.go", source("sqlite", "", ours+"guard/meter"), "store/sqlite/a.go may not import guard/meter"},
		{"store and storetest", "store/sqlite/a.go", source("sqlite", "", ours+"store/storetest"), "store/sqlite/a.go imports store/storetest, which is for tests"},
		{"cmd and storetest", "cmd/aipassport/a.go", "// Command aipassport is.\npackage main\nimport _ \"" + ours + "store/storetest\"\n", "cmd/aipassport/a.go imports store/storetest, which is for tests"},
		{"gateway and testutil", "gateway/a.go", source("gateway", "", ours+"internal/testutil"), "gateway/a.go imports internal/testutil, which is for tests"},
		{"gateway and the fake", "gateway/a.go", source("gateway", "", ours+"internal/fakeprovider"), "gateway/a.go imports internal/fakeprovider, which is for tests"},
		{"demo and the fake", "cmd/aipassport/a.go", "// Command aipassport is.\npackage main\nimport _ \"" + ours + "internal/fakeprovider\"\n", ""},
		{"somebody and cmd", "server/a.go", source("server", "", ours+"cmd/aipassport"), "server/a.go may not import cmd/aipassport"},
		{"without its name", "gateway/a.go", source("gateway", "", `. "time"`), "gateway/a.go imports time without its name"},

		{"SQL", "store/sqlite/a.go", source("sqlite", "", "database/sql"), ""},
		{"SQL elsewhere", "guard/meter/a.go", source("meter", "", "database/sql"), "guard/meter/a.go may not import database/sql"},
		{"SQL drivers elsewhere", "gateway/a.go", source("gateway", "", "database/sql/driver"), "gateway/a.go may not import database/sql/driver"},
		{"HTTP in an owner", "guard/vault/a.go", source("vault", "", "net/http"), "guard/vault/a.go may not import net/http"},
		{"logs in the vault", "guard/vault/a.go", source("vault", "", "log/slog"), "guard/vault/a.go may not import log/slog"},
		{"network in a dialect", "gateway/dialect/openai/a.go", source("openai", "", "net"), "gateway/dialect/openai/a.go may not import net"},
		{"randomness in passport", "passport/a.go", source("passport", "", "crypto/rand"), "passport/a.go may not import crypto/rand"},
		{"math/rand", "gateway/a.go", source("gateway", "", "math/rand"), "gateway/a.go may not import math/rand"},
		{"math/rand/v2", "cmd/aipassport/a.go", "// Command aipassport is.\npackage main\nimport _ \"math/rand/v2\"\n", "cmd/aipassport/a.go may not import math/rand/v2"},
		{"unsafe", "gateway/a.go", source("gateway", "", "unsafe"), "gateway/a.go may not import unsafe"},
		{"cgo", "store/sqlite/a.go", source("sqlite", "", "C"), "store/sqlite/a.go may not import C"},
		{"signatures elsewhere", "authority/a.go", source("authority", "", "github.com/go-jose/go-jose/v4/jwt"), "authority/a.go may not import github.com/go-jose/go-jose/v4/jwt"},
		{"files", "gateway/a.go", source("gateway", "var _ = os.Getenv", "os"), "gateway/a.go may not use os.Getenv"},
		{"files renamed", "gateway/a.go", source("gateway", "var _ = disk.ReadFile", `disk "os"`), "gateway/a.go may not use os.ReadFile"},
		{"errors of files", "gateway/a.go", source("gateway", "var _ = os.ErrDeadlineExceeded", "os"), ""},
		{"files in seal", "internal/seal/a.go", source("seal", "var _ = os.Open", "os"), ""},

		{"clock", "gateway/a.go", source("gateway", "func f() { time.Now() }", "time"), "gateway/a.go may not use time.Now"},
		{"clock as a value", "guard/meter/a.go", source("meter", "var now = time.Now", "time"), "guard/meter/a.go may not use time.Now"},
		{"clock renamed", "gateway/a.go", source("gateway", "var now = t.Now", `t "time"`), "gateway/a.go may not use time.Now"},
		{"clock by the back door", "gateway/a.go", source("gateway", "var f = time.Since", "time"), "gateway/a.go may not use time.Since"},
		{"another Now", "gateway/a.go", source("gateway", "type c struct{ Now func() }\nfunc f(c c) { c.Now() }"), ""},
		{"clock in cmd", "cmd/aipassport/a.go", "// Command aipassport is.\npackage main\nimport \"time\"\nvar now = time.Now\n", ""},
		{"default client", "gateway/upstream/a.go", source("upstream", "var c = http.DefaultClient", "net/http"), "gateway/upstream/a.go may not use net/http.DefaultClient"},
		{"http.Get", "authority/identity/a.go", source("identity", "var c = http.Get", "net/http"), "authority/identity/a.go may not use net/http.Get"},
		{"another door out", "authority/identity/a.go", source("identity", "var c http.Client", "net/http"), "authority/identity/a.go may not use net/http.Client"},
		{"the door out", "gateway/upstream/a.go", source("upstream", "var c http.Transport", "net/http"), ""},
		{"secret read", "gateway/a.go", source("gateway", "func f(k interface{ Reveal() string }) { k.Reveal() }"), "gateway/a.go may not Reveal a secret"},
		{"secret read as a value", "gateway/a.go", source("gateway", "func f(k interface{ Reveal() string }) any { return k.Reveal }"), "gateway/a.go may not Reveal a secret"},
		{"secret read deep inside", "server/a.go", source("server", "func f(c struct{ k interface{ Reveal() string } }) { _ = c.k.Reveal() }"), "server/a.go may not Reveal a secret"},
		{"secret read at its place", "gateway/upstream/a.go", source("upstream", "func f(k interface{ Reveal() string }) { k.Reveal() }"), ""},

		{"init", "gateway/a.go", source("gateway", "func init() {}"), "gateway/a.go has an init"},
		{"method init", "gateway/a.go", source("gateway", "type t int\nfunc (t) init() {}"), ""},
		{"60 lines", "gateway/a.go", source("gateway", long(58)), ""},
		{"61 lines", "gateway/a.go", source("gateway", long(59)), "gateway/a.go f has 61 lines, at most 60"},
		{"61 lines of a method", "gateway/a.go", source("gateway", "type box[T any] struct{}\n"+strings.Replace(long(59), "func f", "func (b *box[T]) f", 1)), "gateway/a.go box.f has 61 lines, at most 60"},
		{"wiring", "cmd/aipassport/wire.go", "// Command aipassport is.\npackage main\n" + long(500), ""},
		{"generated", "store/query/a.go", "// Code generated by sqlc. DO NOT EDIT.\n\n" + source("query", long(500)), ""},
		{"long file", "gateway/a.go", source("gateway", strings.Repeat("// x\n", 400)), "gateway/a.go has 402 lines, at most 400"},

		{"tests are free", "passport/a_test.go", "package passport\nimport _ \"math/rand\"\nfunc init() {}\n", ""},
		{"testdata is free", "passport/testdata/a.go", "package nothing\nimport _ \"unsafe\"\n", ""},
	} {
		t.Run(r.name, func(t *testing.T) {
			found, err := archtest.Check(fstest.MapFS{r.file: {Data: []byte(r.text)}})
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(found, "\n"); got != r.want {
				t.Errorf("got %q, want %q", got, r.want)
			}
		})
	}
}

func TestSourceThatIsNoGoIsAnError(t *testing.T) {
	if found, err := archtest.Check(fstest.MapFS{"passport/a.go": {Data: []byte("package")}}); err == nil {
		t.Errorf("got %v", found)
	}
}
