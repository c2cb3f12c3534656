package archtest

// module is the path that our own imports begin with.
const module = "github.com/devrelopers/aipassport/"

// mayImport is the one direction of docs/design: folder to those folders of ours that it may import. A name that ends in /* is
// every folder right below; a folder's own name wins over such a pattern. Nothing in here: the folder has no rule, and fails.
var mayImport = map[string][]string{
	"passport": {"internal/problem"},

	"internal/archtest":     {},
	"internal/failpoint":    {},
	"internal/fakeprovider": {},
	"internal/fields":       {"internal/problem"},
	"internal/flood":        {"internal/problem"},
	"internal/ledgersim":    {}, // tests only
	"internal/names":        {"internal/problem"},
	"internal/patience":     {},
	"internal/pgtest":       {},
	"internal/problem":      {},
	"internal/reach":        {},
	"internal/record":       {"internal/problem", "passport"},
	"internal/respond":      {"internal/fields", "internal/problem", "passport"},
	"internal/seal":         {"internal/problem"},
	"internal/secret":       {},
	"internal/valkeytest":   {},
	"internal/testutil":     {"internal/fakeprovider", "internal/problem", "internal/secret", "passport"},

	// The owners of a danger do not import each other.
	"guard/meter":  {"internal/patience", "internal/problem", "passport"},
	"guard/recall": {"internal/problem", "passport"},
	"guard/repeat": {"internal/problem", "internal/seal", "passport"},
	"guard/roster": {"internal/problem", "internal/reach", "passport"},
	"guard/token":  {"internal/problem", "internal/seal", "internal/secret", "passport"},
	"guard/vault":  {"internal/problem", "internal/seal", "internal/secret", "passport"},

	// The two planes never import each other: they meet in guard and on disk.
	"gateway":                     {"gateway/*", "gateway/dialect/*", "gateway/dialect/bridge/back", "guard/*", "internal/*", "passport"},
	"gateway/dialect":             {"internal/problem", "internal/respond", "passport"}, // respond: the one table of statuses
	"gateway/dialect/*":           {"gateway/dialect", "gateway/dialect/media", "gateway/dialect/strict", "gateway/dialect/tap", "internal/problem", "passport"},
	"gateway/dialect/bridge/back": {"gateway/dialect", "internal/problem", "passport"},
	"gateway/dialect/chat":        {"gateway/dialect", "gateway/dialect/*", "internal/fields", "internal/problem", "passport"},
	"gateway/dialect/media":       {"gateway/dialect/strict", "passport"},
	"gateway/dialect/strict":      {"internal/problem", "passport"},
	"gateway/upstream":            {"internal/problem", "internal/reach", "internal/secret", "passport"},
	"authority":                   {"guard/*", "internal/*", "passport", "web"},
	"authority/*":                 {"authority", "authority/oauth/wire", "guard/*", "internal/*", "passport", "web"}, // and not each other
	"authority/oauth/wire":        {"internal/*", "passport"},                                                        // what the OAuth endpoints share

	"store":            {"internal/problem", "passport", "store/query"},
	"store/migrations": {},
	"store/postgres":   {"internal/failpoint", "internal/problem", "passport", "store", "store/migrations", "store/query", "store/rates"},
	"store/query":      {},
	"store/rates":      {"internal/problem", "passport"},
	"store/valkey":     {"store/rates"},
	"store/sqlite":     {"internal/failpoint", "internal/problem", "passport", "store", "store/migrations", "store/query"},
	"store/storetest":  {"authority", "authority/*", "authority/oauth/wire", "guard/*", "internal/*", "passport", "store", "webhook"},

	"connect":            {}, // a client of the broker: its public surface alone
	"web":                {"internal/problem", "passport"},
	"webhook":            {"internal/problem", "internal/seal", "passport"}, // the second door to the outside: no guard, no gateway
	"server":             {"authority", "authority/*", "gateway", "gateway/dialect", "gateway/dialect/*", "internal/*", "passport", "web"},
	"cmd/aipassport":     {"authority", "authority/*", "connect", "authority/oauth/wire", "examples/repo-mood", "gateway", "gateway/*", "gateway/dialect/*", "guard/*", "internal/*", "passport", "server", "store", "store/*", "web", "webhook"},
	"examples/repo-mood": {}, // a static page; the demo serves it
	"bench":              {}, // measures the built broker from outside
	"scripts/prices":     {},
	"e2e/sdk":            {"internal/fakeprovider"}, // drives the built broker from outside, with the SDKs
	"e2e":                {"internal/fakeprovider", "internal/pgtest", "internal/problem", "internal/testutil", "internal/valkeytest", "passport"},
}

// testOnly may be imported by no production code but its own kind and the folders named here.
var testOnly = map[string][]string{
	"store/storetest":             {},
	"gateway/dialect/dialecttest": {},
	"internal/testutil":           {"e2e"},
	"internal/archtest":           {},
	"internal/pgtest":             {},
	"internal/valkeytest":         {},
	"internal/fakeprovider":       {"internal/testutil", "e2e", "e2e/sdk", "cmd/*"}, // cmd: the demo's sandbox
}

// owners says who may import a package that is not ours: an import path, or the beginning of one up to a slash, to folders. Of two
// that fit the longer counts. What is not listed is free. A folder that ends in /* is every folder below, at any depth.
var owners = map[string][]string{
	"C":            {},
	"unsafe":       {},
	"plugin":       {},
	"math/rand":    {"gateway/dialect/dialecttest", "store/storetest"},
	"database/sql": {"store", "store/*"},
	"os":           {"bench", "e2e/sdk", "cmd/*", "internal/failpoint", "internal/pgtest", "internal/seal", "scripts/prices", "internal/valkeytest", "store/sqlite"}, // elsewhere only os.Err...
	"os/exec":      {"bench", "e2e/sdk", "cmd/*", "internal/pgtest", "internal/valkeytest"},
	"os/user":      {"internal/pgtest"},
	"os/signal":    {"e2e/sdk", "cmd/*"},
	"syscall":      {"authority/client", "e2e/sdk", "cmd/*", "gateway/upstream", "internal/failpoint", "internal/pgtest", "store/sqlite", "webhook"},
	"net":          {"bench", "authority/*", "cmd/*", "connect", "gateway", "gateway/upstream", "internal/fakeprovider", "internal/flood", "internal/names", "internal/pgtest", "internal/record", "server", "webhook"},
	"net/http": {"bench", "e2e/sdk", "authority", "authority/*", "cmd/*", "connect", "gateway", "gateway/*", "internal/fakeprovider", "internal/flood", "internal/record", "internal/respond",
		"internal/testutil", "server", "web", "webhook"},
	"net/url":     {"passport", "bench", "authority", "authority/*", "cmd/*", "connect", "gateway", "gateway/*", "guard/roster", "guard/token", "internal/fakeprovider", "internal/names", "internal/pgtest", "internal/respond", "server", "store/sqlite", "web", "webhook"},
	"net/netip":   {"authority", "authority/*", "cmd/*", "gateway", "gateway/upstream", "guard/roster", "internal/flood", "internal/names", "internal/reach", "internal/record", "server", "webhook"},
	"log":         {"cmd/*", "server"},
	"log/slog":    {"authority", "authority/*", "cmd/*", "gateway", "internal/record", "internal/secret", "server", "store/postgres", "store/rates", "store/sqlite", "store/valkey", "web", "webhook"},
	"crypto/rand": {"authority", "authority/*", "cmd/*", "connect", "gateway", "internal/fakeprovider", "guard/token", "guard/vault", "internal/pgtest", "internal/seal", "internal/record", "server", "web", "webhook"},

	"github.com/alecthomas/kong":         {"cmd/*"},
	"github.com/go-jose/go-jose/v4":      {"authority/client", "connect", "guard/token"},
	"github.com/go-webauthn/webauthn":    {"authority/identity"},
	"github.com/coreos/go-oidc/v3":       {"authority/oidc"},
	"golang.org/x/oauth2":                {"authority/oidc"},
	"github.com/google/uuid":             {"cmd/*"},
	"github.com/jackc/pgx/v5":            {"internal/pgtest", "store/*"},
	"github.com/ncruces/go-sqlite3":      {"bench", "store/*"},
	"github.com/redis/rueidis":           {"store/valkey"},
	"github.com/pressly/goose/v3":        {"store/*"},
	"golang.org/x/crypto":                {"authority/identity"},
	"github.com/go-json-experiment/json": {"gateway", "gateway/*", "guard/token", "internal/fields"},
	"github.com/google/go-cmp":           {"gateway/dialect/dialecttest", "store/storetest"},
	"pgregory.net/rapid":                 {"store/storetest"},
	"testing":                            {"gateway/dialect/dialecttest", "internal/pgtest", "internal/testutil", "internal/valkeytest", "store/storetest"},
	"github.com/tink-crypto/tink-go/v2":  {"internal/seal"},
	"golang.org/x/net/publicsuffix":      {"cmd/*", "internal/names"},
	"golang.org/x/net/idna":              {"internal/names"},
	"golang.org/x/text":                  {"authority/identity", "gateway/dialect/strict", "internal/names", "web"},
	"golang.org/x/net/http/httpguts":     {"gateway/upstream"},
	"golang.org/x/net/netutil":           {"server"},
	"golang.org/x/net":                   {},
}

// onlyErrors are packages whose Err... variables anyone may compare with.
var onlyErrors = []string{"os"}

// names says who may use one name of a package. A folder that ends in /* is every folder below, at any depth.
var names = map[string][]string{
	"time.Now":                       {"bench", "e2e/sdk", "cmd/*", "internal/fakeprovider", "internal/pgtest", "internal/testutil"},
	"time.Since":                     {"bench", "e2e/sdk", "cmd/*", "internal/fakeprovider", "internal/pgtest", "internal/testutil"}, // they ask the same clock
	"time.Until":                     {"bench", "cmd/*", "internal/fakeprovider", "internal/pgtest", "internal/testutil"},
	"net/http.DefaultClient":         {},
	"net/http.DefaultTransport":      {},
	"net/http.DefaultServeMux":       {},
	"net/http.Handle":                {},
	"net/http.HandleFunc":            {},
	"net/http.Get":                   {},
	"net/http.Head":                  {},
	"net/http.Post":                  {},
	"net/http.PostForm":              {},
	"net/http.Client":                {"authority/client", "authority/oidc", "connect", "bench", "e2e/sdk", "gateway/upstream", "cmd/*", "webhook"}, // cmd: the commands that ask a running broker
	"net/http.Transport":             {"authority/client", "authority/oidc", "connect", "bench", "gateway/upstream", "webhook"},
	"net/http.NewRequest":            {"bench", "gateway/upstream", "cmd/*"},
	"net/http.NewRequestWithContext": {"authority/client", "connect", "e2e/sdk", "gateway/upstream", "cmd/*", "webhook"},
	"net.Dial":                       {"internal/pgtest"},
	"net.DialTimeout":                {},
	"net.Dialer":                     {"authority/client", "authority/oidc", "connect", "bench", "gateway/upstream", "webhook"},
}

// reveal are the files that may read a secret.Text. A name that ends in /* is all files of a folder.
var reveal = []string{
	"gateway/upstream/*", "guard/token/*", "guard/vault/*", "internal/secret/*",
	"authority/oidc/*",          // what the OpenID provider knows the broker by
	"cmd/aipassport/token.go",   // prints a new owner token, once
	"cmd/aipassport/storage.go", // the database's address has a password
	"cmd/aipassport/share.go",   // Valkey's too
}

// Sizes. Generated files are not measured.
const (
	maxFunction = 60  // lines, from func to its brace
	maxFile     = 400 // lines
)

// longer lists what may be longer: wiring, tables and plain lists of cases. "folder/file.go" is a file, "folder.Name" a function
// or "folder.Type.Name" a method.
var longer = []string{
	"cmd/aipassport/wire.go",
	"store/storetest.Run", // the list of what a store must do
}
