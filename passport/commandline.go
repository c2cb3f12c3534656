package passport

// CommandLineID is the client_id of aipassport connect. No client can register it: registered ids begin otherwise.
const CommandLineID ClientID = "aipassport-cli"

// CommandLine is the client that every broker knows without having registered it: the local sidecar of aipassport connect. It is a public
// client on loopback, which any program of that computer can say to be, so it is never checked; and it takes no bearer tokens.
func CommandLine() Client {
	return Client{ID: CommandLineID, Kind: ClientBuiltIn, Name: "The command line (connect)", RedirectURIs: []string{"http://127.0.0.1/callback", "http://[::1]/callback"},
		Auth: PublicClient, DPoP: true}
}
