package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// Open opens the store at a place. The same place gives the same data, once the one before is closed. It is called from several goroutines.
type Open func(t *testing.T, place string) Store

// rule is one case of the contract.
type rule struct {
	name string
	test func(*testing.T, *bench)
}

// contract is what every store keeps, in the order in which it is told.
var contract = []rule{
	{"grants are swapped by version", testGrants},
	{"the oldest requests give way", testOldRequests},
	{"one of many swaps wins", testSwapRace},
	{"a request raises its grant, both or neither", testExtend},
	{"a request raises its grant once under race, and not after a revoke", testExtendRace},
	{"grants are listed newest first", testStandings},
	{"budgets open with approval and follow", testBudgets},
	{"tokens and liveness", testTokens},
	{"SDK keys", testSDKKeys},
	{"SDK keys are bounded under race", testSDKKeysRace},
	{"device codes", testDeviceCodes},
	{"requests for keys", testKeyRequests},
	{"what is used once is used once under race", testOneTimeRace},
	{"of what is used once the oldest go", testOldOneTime},
	{"pushed requests are taken once", testPushed},
	{"authorizations and their codes", testAuthorizations},
	{"refresh tokens rotate", testRefresh},
	{"what is given out once is used once under race", testOnce},
	{"signing keys", testSigningKeys},
	{"what is seen once is not fresh again", testSeen},
	{"one of many is the first to be seen", testSeenRace},
	{"credentials", testCredentials},
	{"providers are swapped by version, and go with their keys", testCompatibles},
	{"clients are kept, used and removed", testClients},
	{"unused clients give way, those with a live grant do not", testClientsGiveWay},
	{"the bound on clients is kept under race", testClientsRace},
	{"what happened is read by pages, each person's own", testActivity},
	{"the owner", testOwner},
	{"sessions and owner tokens", testSessions},
	{"passkeys", testPasskeys},
	{"a passkey's counter goes on, for one of many", testPasskeyRace},
	{"the last way in stays", testLastWayIn},
	{"sessions are listed, seen and ended", testSessionList},
	{"a new password ends sessions, a reset link works once", testPasswords},
	{"a reset link races", testResetRace},
	{"identities at other issuers", testIdentities},
	{"a hold counts on every row of its path", testHold},
	{"a hold is refused with its reason", testHoldRefusals},
	{"a hold that is nonsense is invalid", testHoldInvalid},
	{"zero permits nothing", testZero},
	{"a hold takes what is left", testLeast},
	{"calls are not passed under race", testCallsRace},
	{"money is not passed under race", testMoneyRace},
	{"details are not passed under race", testDetailsRace},
	{"no hold after a revoke", testRevokeRace},
	{"a settlement stands behind its hold", testOrder},
	{"a settlement happens once", testSettleOnce},
	{"what did not reach the provider is given back", testNotReached},
	{"a bill above its hold freezes", testBreach},
	{"ceilings are set, changed and removed", testCeilings},
	{"a ceiling is on the path of every hold", testCeilingPath},
	{"a ceiling that is switched keeps its rows", testCeilingSwitch},
	{"a month is its own", testCeilingMonth},
	{"an app holds its share of a ceiling", testCeilingShare},
	{"a ceiling is not passed under race", testCeilingRace},
	{"recovery charges the months that its holds took", testCeilingOrphans},
	{"a ceiling over one key counts that key's calls", testCeilingKey},
	{"a ceiling over one key is not passed under race", testCeilingKeyRace},
	{"a ceiling over one key that is passed is told", testPassedKey},
	{"a call is on the months of who pays", testPeoplesMonths},
	{"the lower of a member's limit and the owner's for them holds", testOwnersLimit},
	{"a member's limits go with them", testLimitsEnd},
	{"a mark is told to whose limit it is", testPeoplesMarks},
	{"no person's limit is passed under race", testPeoplesRace},
	{"orphans are charged in full", testOrphans},
	{"a late settlement lowers a charge once", testLate},
	{"a call of nothing that never left is given back late", testLateOfNothing},
	{"a late bill above its hold is recorded and freezes", testLateBreach},
	{"a late bill above its hold is on the months that were opened since", testLateBreachBeside},
	{"a key is taken with its hold", testClaim},
	{"a key has one of many holds", testClaimRace},
	{"a call that cost nothing frees its key", testClaimFreed},
	{"a key outlives a crash", testClaimCharged},
	{"a key lapses after a day", testClaimLapses},
	{"answers are kept where the owner allows it", testAnswers},
	{"a mark that is passed is told once", testPassed},
	{"calls that are used up are told", testPassedCalls},
	{"a grant whose rest pays for no call is spent", testTellSpent},
	{"a mark is not passed by nothing", testPassedByNothing},
	{"a mark is passed by orphans and by a breach", testPassedUnseen},
	{"a ceiling that is passed is told once a month", testPassedCeiling},
	{"what is spent is marked, and thinned", testMarks},
	{"what a look finds is told once", testNoted},
	{"notices stay until they are seen, or say nothing any more", testNotices},
	{"events wait for the webhook", testWebhook},
	{"history is listed and summed", testHistory},
	{"each person has their own", testPayers},
	{"an invitation makes one member", testInvitations},
	{"one switch stops all apps of a person", testStopOwn},
	{"the switch of a person is not that of the broker", testStopOwnApart},
	{"what becomes active while the switch is thrown is stopped", testStopOwnRace},
	{"who a member is elsewhere comes with them", testJoinAs},
	{"nothing is given in the name of who is suspended", testMembersEnd},
	{"no key is kept for who is suspended", testMembersKeys},
	{"a member's grants are not told to the owner's webhook", testMembersWebhook},
	{"events are in order", testEvents},
	{"all is there after closing", testReopen},
	{"a hold counts on all above its grant", testChildHold},
	{"what is above refuses a hold with its reason", testChildRefusals},
	{"a rate that is changed reaches what is below", testChildRates},
	{"what was narrowed ends with what it was narrowed from", testChildEnds},
	{"a bill above its hold freezes all above, and late settlements move there too", testChildBreach},
	{"a mark is passed by what is below", testChildPasses},
	{"money above is not passed under race", testChildRace},
	{"no child outlives a revoke under race", testChildRevokeRace},
	{"children are bounded and fit what is above", testChildBounds},
	{"what ended is forgotten in its time, and no money", testForget},
	{"a random walk keeps to the model", testWalk},
}

// Run runs the contract that every store keeps. Its cases run side by side, each with a place of its own: most wait for disks.
func Run(t *testing.T, open Open) {
	for _, c := range contract {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, newBench(t, open))
		})
	}
}

// Epoch is the time at which the tests' stories begin.
func Epoch() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// bench is a store under test, with short names for what tests do all the time.
type bench struct {
	t     *testing.T
	s     Store
	open  Open
	place string
	n     atomic.Int64
}

func newBench(t *testing.T, open Open) *bench {
	b := &bench{t: t, open: open, place: t.TempDir()}
	b.s = open(t, b.place)
	t.Cleanup(func() { b.ok(b.s.Close()) })
	return b
}

// reopen closes the store and opens it again.
func (b *bench) reopen() {
	b.t.Helper()
	b.ok(b.s.Close())
	b.s = b.open(b.t, b.place)
}

func ctx() context.Context { return context.Background() }

func (b *bench) ok(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatalf("got error %v, want none", err)
	}
}

// is checks the kind of an error.
func (b *bench) is(err error, want problem.Kind) {
	b.t.Helper()
	if !isKind(err, want) {
		b.t.Fatalf("got %v, want a problem of kind %d", err, want)
	}
}

func isKind(err error, want problem.Kind) bool {
	p, ok := errors.AsType[*problem.Error](err)
	return ok && p.Kind == want
}

func (b *bench) equal(got, want any) {
	b.t.Helper()
	if d := cmp.Diff(want, got, cmp.AllowUnexported(passport.Limit{})); d != "" {
		b.t.Fatalf("got (+), want (-):\n%s", d)
	}
}

// next is an id that grows, as UUIDv7 do.
func (b *bench) next(kind string) string { return fmt.Sprintf("%s-%06d", kind, b.n.Add(1)) }

func (b *bench) event(kind passport.EventKind, g passport.GrantID) passport.Event {
	return passport.Event{ID: passport.EventID(b.next("ev")), Kind: kind, At: Epoch(), Actor: "owner:p1", Grant: g, Note: "a note"}
}

// Detail is an ai_access of OpenAI's models with a cap in cents and a number of calls.
func Detail(cents, calls int64) passport.Detail {
	return passport.Detail{Provider: passport.OpenAI, Models: []string{"gpt-4o"}, Capabilities: []passport.Capability{passport.Chat},
		MaxBudgetCents: passport.LimitOf(cents), MaxRequests: passport.LimitOf(calls), RateLimit: passport.LimitOf(60)}
}

// pending adds a grant that waits for an answer.
func (b *bench) pending(details ...passport.Detail) passport.Grant {
	b.t.Helper()
	g := passport.Grant{ID: passport.GrantID(b.next("gr")), RequestID: "rq", Version: 1, State: passport.GrantPending,
		AppName: "Repo Mood", AppURL: "https://app.example", Reason: "to read moods", Asked: details, Details: details,
		SecretHash: [32]byte{1, 2, 3, 31: 9}, CreatedAt: Epoch(), ExpiresAt: Epoch().Add(time.Hour), Notes: "n"}
	b.ok(b.s.AddGrant(ctx(), g, b.event(passport.GrantRequested, g.ID)))
	return g
}

// active adds a grant that can be used for an hour.
func (b *bench) active(details ...passport.Detail) passport.Grant {
	b.t.Helper()
	return b.change(b.pending(details...), func(g *passport.Grant) {
		g.State, g.Owner, g.ApprovedAt = passport.GrantActive, "p1", Epoch()
	})
}

// change swaps a grant for its next version.
func (b *bench) change(g passport.Grant, edit func(*passport.Grant)) passport.Grant {
	b.t.Helper()
	g.Version++
	edit(&g)
	b.ok(b.s.ChangeGrant(ctx(), g, b.event(passport.GrantApproved, g.ID)))
	return g
}

func to(s passport.GrantState) func(*passport.Grant) {
	return func(g *passport.Grant) { g.State = s }
}

// ask is a hold of so much on a grant.
func (b *bench) ask(g passport.GrantID, amount passport.Money) passport.Hold {
	return passport.Hold{ID: passport.ReservationID(b.next("rv")), Grant: g, Provider: passport.OpenAI, Model: "gpt-4o",
		Amount: amount, Least: amount, Tariff: "2026-03", At: Epoch().Add(time.Minute)}
}

func (b *bench) hold(g passport.GrantID, amount passport.Money) passport.Hold {
	b.t.Helper()
	h := b.ask(g, amount)
	_, err := b.s.Hold(ctx(), h)
	b.ok(err)
	return h
}

func settlement(h passport.Hold, actual passport.Money) passport.Settlement {
	return passport.Settlement{ID: h.ID, Grant: h.Grant, Actual: actual, Reached: true, Why: passport.Finished,
		Usage: passport.Usage{Known: true, Input: 27, CacheRead: 13, CacheWrite: 2, CacheWrite1h: 1, InputAudio: 8, InputImage: 9, CacheAudio: 6,
			CacheImage: 7, Output: 35, Reasoning: 4, OutputAudio: 10, OutputImage: 11, Searches: 12, FileSearches: 14, AudioSeconds: 15},
		At: h.At.Add(time.Second)}
}

// settle settles, and waits until that is committed.
func (b *bench) settle(s passport.Settlement) {
	b.t.Helper()
	b.ok(b.s.Settle(ctx(), s))
	b.flush()
}

// flush waits until what was queued before is committed: who asks for a standing sees what it costs.
func (b *bench) flush() {
	b.t.Helper()
	_, err := b.s.Standing(ctx(), "nobody")
	b.is(err, problem.NotFound)
}

func (b *bench) standing(g passport.GrantID) passport.Standing {
	b.t.Helper()
	s, err := b.s.Standing(ctx(), g)
	b.ok(err)
	return s
}

// total checks the balance of a grant, and that all balances are the sums of their reservations.
func (b *bench) total(g passport.GrantID, want passport.Balance) {
	b.t.Helper()
	b.equal(b.standing(g).Total, want)
	b.sound()
}

func (b *bench) sound() {
	b.t.Helper()
	wrong, err := b.s.VerifyLedger(ctx())
	b.ok(err)
	if len(wrong) > 0 {
		b.t.Fatalf("the ledger does not add up: %v", wrong)
	}
}

// kinds lists the kinds of all events of a grant, in order.
func (b *bench) kinds(g passport.GrantID) (out []passport.EventKind) {
	b.t.Helper()
	for _, ev := range b.events() {
		if ev.Grant == g {
			out = append(out, ev.Kind)
		}
	}
	return out
}

func (b *bench) events() []passport.Event {
	b.t.Helper()
	all, _, err := b.s.Events(ctx(), 0, 1_000_000)
	b.ok(err)
	return all
}
