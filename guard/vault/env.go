package vault

import (
	"strings"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/secret"
	"github.com/devrelopers/aipassport/passport"
)

// envNames lists the variables that may hold a provider's key, in the order in which they are tried.
var envNames = []struct {
	provider passport.Provider
	names    []string
}{
	{passport.OpenAI, []string{"OPENAI_API_KEY", "OPENAI_KEY", "OPEN_AI_API_KEY", "OPEN_AI_KEY"}},
	{passport.Anthropic, []string{"ANTHROPIC_API_KEY", "ANTHROPIC_KEY", "CLAUDE_API_KEY", "CLAUDE_KEY", "CLAUDE_SECRET_KEY"}},
	{passport.Google, []string{"GOOGLE_API_KEY", "GOOGLE_AI_API_KEY", "GEMINI_API_KEY", "GEMINI_KEY"}},
}

// envPrefix begins the id of a credential that is only in the environment. No stored id begins so: they are UUIDs.
const envPrefix = "env:"

// fromEnv is a key of the environment. It is never written to disk.
type fromEnv struct {
	id   passport.CredentialID
	name string
	key  secret.Text
}

// keysOf reads the environment's keys, trimmed: of each provider the first that is not blank. named has variables of other providers.
// Error: Invalid, naming the variable, if it holds what cannot be a key.
func keysOf(env map[string]string, named map[passport.Provider]string) (map[passport.Provider]fromEnv, error) {
	found := map[passport.Provider]fromEnv{}
	for _, e := range envNames {
		if err := keyOf(env, e.provider, e.names, found); err != nil {
			return nil, err
		}
	}
	for p, name := range named {
		if err := keyOf(env, p, []string{name}, found); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func keyOf(env map[string]string, p passport.Provider, names []string, found map[passport.Provider]fromEnv) error {
	for _, name := range names {
		key := strings.TrimSpace(env[name])
		if key == "" {
			continue
		}
		if !plain(key) || len(key) > maxKey {
			return problem.New(problem.Invalid, "must be at most %d printable ASCII characters without spaces", maxKey).In(name)
		}
		found[p] = fromEnv{passport.CredentialID(envPrefix + name), name, secret.New(key)}
		return nil
	}
	return nil
}

// plain says whether a key may stand in a header: printable ASCII without spaces.
func plain(key string) bool {
	for i := range len(key) {
		if key[i] <= ' ' || key[i] > '~' {
			return false
		}
	}
	return true
}
