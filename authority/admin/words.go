package admin

import (
	"fmt"
	"hash/fnv"
	"strconv"
	"time"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
)

// words are numbers that move while they are looked at, as a page shows them, by the name that it marks them with (data-l). Pages and
// GET /live have them from here, so that they cannot differ. An empty one is not shown.
type words map[string]string

// wordsOf are those of one app.
func wordsOf(b passport.Balance) words {
	w := words{"spent": web.USD(b.Settled), "cap": web.USD(b.Cap), "left": web.USDLeft(b.Left()), "calls": web.Num(b.Calls), "most": "of " + web.Num(b.CallsCap) + " calls",
		"held": "Nothing is held for running calls."}
	if b.Held > 0 {
		w["held"] = web.USD(b.Held) + " is held for running calls and comes back if they cost less."
	}
	return w
}

// use adds what is running, and when the last call was made: RFC 3339, twice, since a row shows it only while nothing runs.
func (w words) use(live int, used time.Time) {
	w["live"], w["used"], w["idle"] = "", "", ""
	if !used.IsZero() {
		w["used"] = used.UTC().Format(time.RFC3339)
	}
	if live > 0 {
		w["live"] = web.Count(int64(live), "running call", "running calls")
	} else {
		w["idle"] = w["used"]
	}
}

// ofDetail adds those of one of several providers, which is counted from 1.
func (w words) ofDetail(at string, b passport.Balance) {
	w["spent-"+at], w["cap-"+at], w["calls-"+at] = web.USD(b.Settled), web.USD(b.Cap), web.Num(b.Calls)+" of "+web.Num(b.CallsCap)
}

// wordsOfAll are those above the list.
func wordsOfAll(d appsView) words {
	w := words{"all-lead": d.Lead, "all-month": web.USD(d.Spent), "all-held": web.USD(d.Held), "all-live": web.Num(int64(d.Live)),
		"all-from": "none at this moment", "all-today": web.Num(d.Calls)}
	if d.Limit != nil {
		w["all-month"] = web.USD(d.Limit.Spent)
	}
	if d.LiveApps > 0 {
		w["all-from"] = "from " + web.Num(int64(d.LiveApps)) + " of these apps"
	}
	return w
}

// more changes when there is something that the list has no place for: another app, another request, an alarm, a limit that is near.
func (d appsView) more() string {
	h := fnv.New64a()
	for _, list := range [][]appView{d.Apps, d.Waiting, d.Frozen} {
		for _, v := range list {
			fmt.Fprintln(h, v.ID)
		}
		fmt.Fprintln(h)
	}
	for _, n := range d.Near {
		fmt.Fprintln(h, n.Title, n.Spent)
	}
	for _, n := range d.Notices {
		fmt.Fprintln(h, n.ID)
	}
	fmt.Fprintln(h, d.MoreWaiting)
	return strconv.FormatUint(h.Sum64(), 36)
}
