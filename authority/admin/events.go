package admin

import (
	"strings"

	"github.com/devrelopers/aipassport/passport"
)

// eventTitles are what happened in a person's words.
var eventTitles = map[passport.EventKind]string{
	passport.GrantRequested:     "Asked for access",
	passport.GrantApproved:      "Approved",
	passport.GrantWasDenied:     "Denied",
	passport.GrantWasRevoked:    "Revoked",
	passport.GrantWasPaused:     "Paused",
	passport.GrantResumed:       "Resumed",
	passport.GrantRaised:        "You gave it more",
	passport.GrantAdjusted:      "You changed its limits",
	passport.GrantDelegated:     "Passed on",
	passport.GrantFrozen:        "Paused without you",
	passport.GrantNearCap:       "80 % of its money is spent",
	passport.GrantSpent:         "All of its money is spent",
	passport.GrantNearCalls:     "80 % of its calls are used",
	passport.GrantCallsSpent:    "All of its calls are used",
	passport.GrantFirstUsed:     "First call",
	passport.GrantUnusual:       "An unusual hour",
	passport.TokenRevoked:       "A token was ended",
	passport.SDKKeyMade:         "A key was made",
	passport.SDKKeyRevoked:      "A key was revoked",
	passport.AnswersKept:        "Answers are kept for a day",
	passport.AnswersNotKept:     "Answers are not kept any more",
	passport.CallCharged:        "A call whose outcome was lost was charged",
	passport.CeilingNear:        "80 % of a monthly limit is spent",
	passport.CeilingSpent:       "A monthly limit is spent",
	passport.AppsStopped:        "All apps stopped",
	passport.AppsResumed:        "Apps run again",
	passport.OwnAppsStopped:     "All own apps stopped",
	passport.OwnAppsResumed:     "Own apps run again",
	passport.WebhookTested:      "A test",
	passport.CodeIssued:         "May fetch its tokens",
	passport.GrantBound:         "Bound to a key of the app's",
	passport.TokenIssued:        "Got a token",
	passport.CallAdjusted:       "A charged call was settled after all",
	passport.CredentialAdded:    "A provider key was added",
	passport.CredentialGone:     "A provider key was removed",
	passport.CredentialTested:   "A provider key was tested",
	passport.ProviderAdded:      "A provider was added",
	passport.ProviderChanged:    "A provider was changed",
	passport.ProviderRemoved:    "A provider was removed",
	passport.ClientAdded:        "An app was registered",
	passport.ClientChanged:      "A registered app was changed",
	passport.ClientRemoved:      "A registered app was removed",
	passport.PersonJoined:       "Became the owner",
	passport.SessionStarted:     "Signed in",
	passport.SessionEnded:       "Signed out",
	passport.PasskeyAdded:       "A passkey was added",
	passport.PasskeyRenamed:     "A passkey was renamed",
	passport.PasskeyRemoved:     "A passkey was removed",
	passport.PasskeyRefused:     "A passkey was refused",
	passport.OwnerTokenMade:     "An owner token was made",
	passport.OwnerTokenEnded:    "An owner token was ended",
	passport.KeyRotated:         "A new signing key",
	passport.CeilingSet:         "A monthly limit was set",
	passport.CeilingRemoved:     "A monthly limit was removed",
	passport.WebhookSet:         "The webhook was set",
	passport.WebhookRemoved:     "The webhook was removed",
	passport.PasswordChanged:    "The password was changed",
	passport.ResetMade:          "A reset link was made",
	passport.CredentialChosen:   "Another provider key is lent",
	passport.CredentialRotated:  "A provider key was replaced",
	passport.CredentialRenamed:  "A provider key was renamed",
	passport.CredentialRefused:  "A provider refused its key",
	passport.CredentialAccepted: "A provider accepts its key again",
}

// eventTitle says what happened. One that is new here has its own name, which is better than none.
func eventTitle(k passport.EventKind) string {
	if title, ok := eventTitles[k]; ok {
		return title
	}
	text := strings.NewReplacer(".", " ", "_", " ").Replace(string(k))
	return strings.ToUpper(text[:min(1, len(text))]) + text[min(1, len(text)):]
}

// eventClass is how loud it is told.
func eventClass(k passport.EventKind) string {
	switch k {
	case passport.GrantFrozen, passport.GrantSpent, passport.GrantCallsSpent, passport.CeilingSpent, passport.PasskeyRefused, passport.CredentialRefused:
		return "err-b"
	case passport.GrantNearCap, passport.GrantNearCalls, passport.GrantUnusual, passport.CallCharged, passport.CeilingNear:
		return "warn"
	default:
		return ""
	}
}

// eventIcon is by what the event is about, since the words say the rest.
func eventIcon(k passport.EventKind) string {
	switch k {
	case passport.GrantApproved:
		return "check"
	case passport.GrantWasDenied:
		return "x"
	case passport.GrantWasRevoked, passport.AppsStopped, passport.OwnAppsStopped:
		return "stop"
	case passport.GrantWasPaused:
		return "pause"
	case passport.GrantResumed, passport.AppsResumed, passport.OwnAppsResumed:
		return "play"
	}
	if eventClass(k) != "" {
		return "alert"
	}
	about, _, _ := strings.Cut(string(k), ".")
	switch about {
	case "session", "person", "passkey", "owner_token", "password", "reset":
		return "user"
	case "credential", "sdk_key", "signing_key", "token", "code":
		return "key"
	default:
		return "info"
	}
}
