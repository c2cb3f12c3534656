package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/devrelopers/aipassport/internal/secret"
	"github.com/devrelopers/aipassport/passport"
)

// settings are what can be set, by flag, environment or file, in this order of precedence. All are text here and read by
// parse, so that every complaint names the setting in the same way.
type settings struct {
	Port        string `env:"PORT" default:"3001" help:"Port on 127.0.0.1."`
	Listen      string `env:"AIPASSPORT_LISTEN" placeholder:"HOST:PORT" help:"Address to listen on; wins over --port. Other than loopback needs TLS or --behind-proxy."`
	Data        string `env:"AIPASSPORT_DATA" placeholder:"DIR" help:"Data directory, made with mode 0700 (default: the user's data directory for aipassport)."`
	DatabaseURL string `env:"AIPASSPORT_DATABASE_URL" placeholder:"URL" help:"postgres://... to keep state there, where several brokers may share it; empty: SQLite in the data directory. It has a password: better in the environment than as a flag."`
	ValkeyURL   string `env:"AIPASSPORT_VALKEY_URL" placeholder:"URL" help:"redis://... or valkey://... to count the calls of a minute there, for all instances; empty: in the database if that is Postgres, else in memory."`
	PublicURL   string `env:"AIPASSPORT_PUBLIC_URL" placeholder:"URL" help:"Issuer and base of all links (http://localhost:PORT). https unless loopback."`
	OwnerToken  string `env:"AIPASSPORT_OWNER_TOKEN" placeholder:"TEXT" help:"Bearer of the owner for automation, 16 characters or more. Better in the environment than as a flag."`
	FreshAbove  string `env:"AIPASSPORT_FRESH_ABOVE" name:"fresh-above" default:"20" help:"Dollars: a grant that may spend more takes a sign-in of the last five minutes, and no owner's bearer can approve it."`
	OIDCIssuer  string `env:"AIPASSPORT_OIDC_ISSUER" name:"oidc-issuer" placeholder:"URL" help:"OpenID provider at which people may sign in once they have linked it."`
	OIDCClient  string `env:"AIPASSPORT_OIDC_CLIENT_ID" name:"oidc-client-id" placeholder:"TEXT" help:"What it knows this broker by."`
	OIDCSecret  string `env:"AIPASSPORT_OIDC_CLIENT_SECRET_FILE" name:"oidc-client-secret-file" placeholder:"FILE" help:"File with the secret that it gave this broker; none for a public client."`
	OIDCAllowed string `env:"AIPASSPORT_OIDC_ALLOWED" name:"oidc-allowed" placeholder:"LIST" help:"E-mail addresses, and domains as @example.com, that may sign in there, checked by it; empty: all that are linked."`
	OIDCJoin    string `env:"AIPASSPORT_OIDC_JOIN" name:"oidc-join" default:"off" placeholder:"on|off" help:"Whether who is in that list and nobody here may become a member at sign-in."`
	TokenTTL    string `env:"TOKEN_TTL_SECONDS" name:"token-ttl-seconds" default:"3600" help:"Life of a token that an app gets, in seconds."`
	JWTSecret   string `env:"JWT_SECRET" name:"jwt-secret" placeholder:"TEXT" help:"Sign tokens HS256 with this (32 bytes or more) instead of the broker's own ES256 keys."`

	OpenAIBase    string `env:"OPENAI_BASE_URL" name:"openai-base-url" default:"https://api.openai.com/v1" help:"Where OpenAI is; /v1 is added if there is no path."`
	AnthropicBase string `env:"ANTHROPIC_BASE_URL" name:"anthropic-base-url" default:"https://api.anthropic.com" help:"Where Anthropic is."`
	GoogleBase    string `env:"GOOGLE_BASE_URL" name:"google-base-url" default:"https://generativelanguage.googleapis.com" help:"Where Google's Gemini API is."`

	RequestsPerMinute string `env:"AIPASSPORT_GRANT_REQUESTS_PER_MINUTE" name:"grant-requests-per-minute" default:"30" help:"Grant requests a minute from one address."`
	HeaderTimeout     string `env:"AIPASSPORT_UPSTREAM_HEADER_TIMEOUT" name:"upstream-header-timeout" default:"10m" help:"Wait for a provider's answer to begin."`
	IdleTimeout       string `env:"AIPASSPORT_STREAM_IDLE_TIMEOUT" name:"stream-idle-timeout" default:"5m" help:"Wait for the next piece of an answer."`
	ReadHeaderTimeout string `env:"AIPASSPORT_READ_HEADER_TIMEOUT" name:"read-header-timeout" default:"10s" help:"Wait for a request's headers."`
	BodyTimeout       string `env:"AIPASSPORT_BODY_TIMEOUT" name:"body-timeout" default:"60s" help:"Wait for a request's body, and for a client to take a piece of an answer."`
	MaxBody           string `env:"AIPASSPORT_MAX_BODY" name:"max-body" default:"33554432" help:"Largest request body, in bytes."`
	ChargeCut         string `env:"AIPASSPORT_CHARGE_CUT" name:"charge-cut" default:"seen" help:"What a stream costs that was cut: 'seen', by what came of it and how its provider bills, or 'hold', all that was held."`
	Charge5xx         string `env:"AIPASSPORT_CHARGE_5XX" name:"charge-5xx" default:"nothing" help:"What a provider's error of 500 or above costs: 'nothing' or 'hold', all that was held."`
	TLSCert           string `env:"AIPASSPORT_TLS_CERT" name:"tls-cert" placeholder:"FILE" help:"Certificate; then HTTPS only."`
	TLSKey            string `env:"AIPASSPORT_TLS_KEY" name:"tls-key" placeholder:"FILE" help:"Its key."`
	BehindProxy       string `env:"AIPASSPORT_BEHIND_PROXY" name:"behind-proxy" placeholder:"CIDR,..." help:"Reverse proxies that terminate TLS; only their X-Forwarded-For counts."`
	WebhookAllow      string `env:"AIPASSPORT_WEBHOOK_ALLOW" name:"webhook-allow" placeholder:"CIDR,..." help:"Addresses that the owner's webhook may be at although they are not open to everyone, like 10.0.0.0/8."`
	ClientAllow       string `env:"AIPASSPORT_CLIENT_ALLOW" name:"client-allow" placeholder:"CIDR,..." help:"Addresses that the metadata documents and keys of apps may be at although they are not open to everyone."`
	ClientCA          string `env:"AIPASSPORT_CLIENT_CA" name:"client-ca" placeholder:"FILE" help:"PEM file of the authorities that the certificates of those documents may be of, instead of the system's."`
	Registration      string `env:"AIPASSPORT_CLIENT_REGISTRATION" name:"client-registration" default:"on" enum:"on,off" help:"Whether apps may register themselves (RFC 7591): on or off."`
	ProvidersFile     string `env:"AIPASSPORT_PROVIDERS_FILE" name:"providers-file" placeholder:"FILE" help:"JSON file with providers besides OpenAI, Anthropic and Google: docs/guide/providers.md."`
	KEKFile           string `env:"AIPASSPORT_KEK_FILE" name:"kek-file" placeholder:"FILE" help:"The key that seals stored keys, made on first start with mode 0600 (default: beside the data directory)."`
	DrainTimeout      string `env:"AIPASSPORT_DRAIN_TIMEOUT" name:"drain-timeout" default:"30s" help:"On SIGTERM, wait this long for running calls before they are cut."`
	LogCalls          bool   `env:"AIPASSPORT_LOG_CALLS" name:"log-calls" help:"Log the calls that went well too, a record each. The ledger has them all anyway."`
	Profile           string `env:"AIPASSPORT_PROFILE" name:"profile" placeholder:"DIR" help:"Write CPU, heap and goroutine profiles into this directory when told to stop; for whoever measures the broker."`
}

// config is what is in force.
type config struct {
	listen, data, kekFile                                             string
	profile                                                           string   // directory; empty: nothing is measured
	logCalls                                                          bool     // calls that went well too
	publicURL                                                         *url.URL // nil: from the port that is listened on
	ownerToken, jwtSecret, databaseURL, valkeyURL                     secret.Text
	tokenTTL                                                          time.Duration
	bases                                                             map[passport.Provider]*url.URL
	requestsPerMinute                                                 int
	headerTimeout, idleTimeout, readHeaderTimeout, bodyTimeout, drain time.Duration
	maxBody                                                           int64
	cutCostsHold, charge5xx                                           bool
	tls                                                               *certificate // nil: plain HTTP
	behindProxy, webhookAllow, clientAllow                            []netip.Prefix
	clientRoots                                                       *x509.CertPool // nil: the system's
	closedToClients                                                   bool           // they cannot register themselves
	oidcIssuer, oidcClient                                            string
	oidcSecret                                                        secret.Text
	oidcAllowed                                                       []string
	oidcJoin                                                          bool
	freshAbove                                                        passport.Money
	sandbox                                                           bool                         // the demo's provider is there
	added                                                             []passport.Compatible        // of the operator's file
	providerKeys                                                      map[passport.Provider]string // variables that hold their keys
}

// parse reads the settings. The error names the first one that is wrong, as it is named in the environment.
func (s settings) parse() (config, error) {
	var c config
	var errs []error
	check := func(name string, err error) {
		if err != nil && name != "" {
			err = fmt.Errorf("%s: %w", name, err)
		}
		errs = append(errs, err)
	}
	number := func(name, text string, min, max int64) int64 {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < min || n > max {
			check(name, fmt.Errorf("%q is not a whole number from %d to %d", text, min, max))
		}
		return n
	}
	span := func(name, text string) time.Duration {
		d, err := time.ParseDuration(text)
		if err != nil || d <= 0 {
			check(name, fmt.Errorf("%q is not a duration above 0, like 90s or 5m", text))
		}
		return d
	}
	c.listen = s.Listen
	if c.listen == "" {
		c.listen = net.JoinHostPort("127.0.0.1", strconv.FormatInt(number("PORT", s.Port, 0, 65535), 10))
	}
	c.profile, c.logCalls = s.Profile, s.LogCalls
	c.tokenTTL = time.Duration(number("TOKEN_TTL_SECONDS", s.TokenTTL, 1, 366*24*3600)) * time.Second
	c.requestsPerMinute = int(number("AIPASSPORT_GRANT_REQUESTS_PER_MINUTE", s.RequestsPerMinute, 1, 1_000_000))
	c.maxBody = number("AIPASSPORT_MAX_BODY", s.MaxBody, 1024, 1<<30)
	c.headerTimeout = span("AIPASSPORT_UPSTREAM_HEADER_TIMEOUT", s.HeaderTimeout)
	c.idleTimeout = span("AIPASSPORT_STREAM_IDLE_TIMEOUT", s.IdleTimeout)
	c.readHeaderTimeout = span("AIPASSPORT_READ_HEADER_TIMEOUT", s.ReadHeaderTimeout)
	c.bodyTimeout = span("AIPASSPORT_BODY_TIMEOUT", s.BodyTimeout)
	c.drain = span("AIPASSPORT_DRAIN_TIMEOUT", s.DrainTimeout)
	var err error
	c.databaseURL, c.valkeyURL, err = s.parseStores()
	check("", err)
	c.ownerToken, c.jwtSecret, err = s.parseSecrets()
	check("", err)
	c.cutCostsHold, c.charge5xx, err = s.parseCharges()
	check("", err)
	c.tls, err = loadTLS(s.TLSCert, s.TLSKey)
	check("", err)
	c.behindProxy, err = parseCIDRs(s.BehindProxy)
	check("AIPASSPORT_BEHIND_PROXY", err)
	check("", s.parseDoors(&c))
	check("", s.parseSignIn(&c))
	c.publicURL, err = parsePublicURL(s.PublicURL)
	check("AIPASSPORT_PUBLIC_URL", err)
	check("AIPASSPORT_LISTEN", checkListen(c))
	c.bases, err = s.parseBases()
	check("", err)
	c.added, c.providerKeys, err = readProviders(s.ProvidersFile)
	check("AIPASSPORT_PROVIDERS_FILE", err)
	c.data, c.kekFile, err = s.places()
	check("", err)
	return c, errors.Join(errs...)
}

// checkListen refuses to be reached over a network in clear: tokens and passwords would be.
func checkListen(c config) error {
	host, _, err := net.SplitHostPort(c.listen)
	if err != nil {
		return fmt.Errorf("%q is not host:port", c.listen)
	}
	ip, _ := netip.ParseAddr(host)
	if host == "localhost" || ip.IsLoopback() || c.tls != nil || len(c.behindProxy) > 0 {
		return nil
	}
	return fmt.Errorf("%s is not loopback: set AIPASSPORT_TLS_CERT and AIPASSPORT_TLS_KEY, or AIPASSPORT_BEHIND_PROXY if a reverse proxy terminates TLS", c.listen)
}

func parseCIDRs(list string) (out []netip.Prefix, err error) {
	for _, s := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' }) {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, fmt.Errorf("%q is not a CIDR like 10.0.0.0/8", s)
		}
		out = append(out, p)
	}
	return out, nil
}

func parsePublicURL(s string) (*url.URL, error) {
	if s == "" {
		return nil, nil
	}
	u, err := parseURL(s)
	if err != nil {
		return nil, err
	}
	if strings.Trim(u.Path, "/") != "" {
		return nil, fmt.Errorf("%q must be an origin, without a path", s)
	}
	if u.Scheme != "https" && !loopback(u.Hostname()) {
		return nil, fmt.Errorf("%q must be https unless it is loopback", s)
	}
	u.Path = ""
	return u, nil
}

func parseURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("%q is not an http or https address", s)
	}
	return u, nil
}

func loopback(host string) bool {
	ip, _ := netip.ParseAddr(host)
	return host == "localhost" || ip.IsLoopback()
}

func (s settings) parseBases() (map[passport.Provider]*url.URL, error) {
	out := map[passport.Provider]*url.URL{}
	for _, b := range []struct {
		p         passport.Provider
		env, text string
	}{{passport.OpenAI, "OPENAI_BASE_URL", s.OpenAIBase}, {passport.Anthropic, "ANTHROPIC_BASE_URL", s.AnthropicBase}, {passport.Google, "GOOGLE_BASE_URL", s.GoogleBase}} {
		u, err := parseURL(b.text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", b.env, err)
		}
		if b.p == passport.OpenAI && strings.Trim(u.Path, "/") == "" {
			u.Path = "/v1"
		}
		out[b.p] = u
	}
	return out, nil
}

// place is where state is kept.
func (c config) place() place { return place{databaseURL: c.databaseURL, data: c.data} }

// base is the issuer and the base of links: as set, or localhost with the port that is listened on.
func (c config) base(port string) *url.URL {
	if c.publicURL != nil {
		return c.publicURL
	}
	u := &url.URL{Scheme: "http", Host: net.JoinHostPort("localhost", port)}
	if c.tls != nil {
		u.Scheme = "https"
	}
	return u
}

// places are the data directory and the key file, which is never inside it.
func (s settings) places() (data, kek string, err error) {
	data = s.Data
	if data == "" {
		base, err := userData()
		if err != nil {
			return "", "", fmt.Errorf("AIPASSPORT_DATA: is not set, and %w", err)
		}
		data = filepath.Join(base, "aipassport")
	}
	if data, err = filepath.Abs(data); err != nil {
		return "", "", fmt.Errorf("AIPASSPORT_DATA: %w", err)
	}
	kek = s.KEKFile
	if kek == "" {
		kek = data + ".kek"
	}
	if kek, err = filepath.Abs(kek); err != nil {
		return "", "", fmt.Errorf("AIPASSPORT_KEK_FILE: %w", err)
	}
	if rel, err := filepath.Rel(data, kek); err == nil && !strings.HasPrefix(rel, "..") {
		return "", "", fmt.Errorf("AIPASSPORT_KEK_FILE: %s must not lie in the data directory: a backup of one must not hold both", kek)
	}
	return data, kek, nil
}

// userData is where a person's data lives: the XDG data directory, or what macOS and Windows have for it.
func userData() (string, error) {
	if runtime.GOOS == "darwin" || runtime.GOOS == "windows" {
		return os.UserConfigDir()
	}
	if base := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(base) {
		return base, nil
	}
	home, err := os.UserHomeDir()
	return filepath.Join(home, ".local", "share"), err
}

// dropBlank takes settings that are there but empty as not set. Only the token's life is meant as it stands: an empty one
// is a mistake that should not become an hour.
func dropBlank() {
	for _, name := range settingNames() {
		if v, ok := os.LookupEnv(name); ok && strings.TrimSpace(v) == "" && name != "TOKEN_TTL_SECONDS" {
			os.Unsetenv(name)
		}
	}
}

// applyFile reads a settings file into the environment, below what is there already. Unknown names are refused.
func applyFile(args []string, file string) error {
	for i, a := range args {
		if a == "--" {
			break // what follows is another command's
		}
		if v, ok := strings.CutPrefix(a, "--config="); ok {
			file = v
		} else if a == "--config" && i+1 < len(args) {
			file = args[i+1]
		}
	}
	if file == "" {
		return nil
	}
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("config file %s does not exist", file)
	}
	if err != nil {
		return fmt.Errorf("read config file: %w", err)
	}
	known := append(settingNames(), providerKeyNames...)
	for n, line := range strings.Split(string(b), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		name, value = strings.TrimSpace(name), strings.Trim(strings.TrimSpace(value), `"`)
		if !ok || !slices.Contains(known, name) {
			return fmt.Errorf("config file %s, line %d: %q is not a setting this version knows", file, n+1, name)
		}
		if _, there := os.LookupEnv(name); !there {
			os.Setenv(name, value)
		}
	}
	return nil
}

var providerKeyNames = []string{
	"OPENAI_API_KEY", "OPENAI_KEY", "OPEN_AI_API_KEY", "OPEN_AI_KEY",
	"ANTHROPIC_API_KEY", "ANTHROPIC_KEY", "CLAUDE_API_KEY", "CLAUDE_KEY", "CLAUDE_SECRET_KEY",
	"GOOGLE_API_KEY", "GOOGLE_AI_API_KEY", "GEMINI_API_KEY", "GEMINI_KEY",
}

func settingNames() (out []string) {
	t := reflect.TypeFor[settings]()
	for i := range t.NumField() {
		out = append(out, t.Field(i).Tag.Get("env"))
	}
	return out
}

type configCmd struct {
	Check configCheckCmd `cmd:"" help:"Say what is in force, or what is wrong."`
}

type configCheckCmd struct {
	settings
}

// Run prints every setting with its value in force; secrets are only said to be set.
func (c *configCheckCmd) Run(context.Context) error {
	cfg, err := c.settings.parse()
	if err != nil {
		return err
	}
	v, t := reflect.ValueOf(c.settings), reflect.TypeFor[settings]()
	secrets := []string{"AIPASSPORT_DATABASE_URL", "AIPASSPORT_VALKEY_URL", "AIPASSPORT_OWNER_TOKEN", "JWT_SECRET"}
	for i := range t.NumField() {
		name, value := t.Field(i).Tag.Get("env"), fmt.Sprint(v.Field(i).Interface())
		switch {
		case name == "AIPASSPORT_DATA":
			value = cfg.data
		case name == "AIPASSPORT_KEK_FILE":
			value = cfg.kekFile
		case name == "AIPASSPORT_LISTEN":
			value = cfg.listen
		case name == "AIPASSPORT_PUBLIC_URL":
			_, port, _ := net.SplitHostPort(cfg.listen)
			value = cfg.base(port).String()
		case name == "OPENAI_BASE_URL":
			value = cfg.bases[passport.OpenAI].String()
		case slices.Contains(secrets, name) && value != "":
			value = "(set)"
		}
		fmt.Printf("%s=%s\n", name, value)
	}
	for _, name := range providerKeyNames {
		if strings.TrimSpace(os.Getenv(name)) != "" {
			fmt.Printf("%s=(set)\n", name)
		}
	}
	return nil
}
