package seed

import (
	"net/http"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/respond"
	"github.com/devrelopers/aipassport/passport"
)

// StopAll answers POST /stop: all apps at once, for the owner; or ?whose=mine, all that are one's own, for everyone.
func (a *API) StopAll(w http.ResponseWriter, r *http.Request) {
	who, mine, err := a.whose(r)
	n := 0
	switch {
	case err != nil:
	case mine:
		n, err = a.Control.Of(who.Payer()).StopOwn(r.Context(), owner(who))
	default:
		n, err = a.Control.Stop(r.Context(), owner(who))
	}
	if err != nil {
		fail(w, r, err)
		return
	}
	respond.JSON(w, http.StatusOK, map[string]any{"stopped": true, "endedCalls": n})
}

// whose says who presses, and whether on the switch of their own apps.
func (a *API) whose(r *http.Request) (who passport.Person, mine bool, err error) {
	if who, err = a.Owner.Who(r); err != nil {
		return who, false, err
	}
	switch whose := r.URL.Query().Get("whose"); {
	case whose == "mine":
		return who, true, nil
	case whose != "":
		return who, false, problem.New(problem.Invalid, "must be 'mine', or be left out for everybody's").In("whose")
	case !who.May(passport.RunServer):
		return who, false, problem.New(problem.Forbidden, "only the owner of this broker stops all apps and lets them run again; your own: ?whose=mine")
	default:
		return who, false, nil
	}
}

// ResumeAll answers POST /resume, with ?whose=mine as POST /stop.
func (a *API) ResumeAll(w http.ResponseWriter, r *http.Request) {
	who, mine, err := a.whose(r)
	switch {
	case err != nil:
	case mine:
		err = a.Control.Of(who.Payer()).RunOwn(r.Context(), owner(who))
	default:
		err = a.Control.ResumeAll(r.Context(), owner(who))
	}
	if err != nil {
		fail(w, r, err)
		return
	}
	respond.JSON(w, http.StatusOK, map[string]any{"stopped": false})
}
