package seed

import (
	"net/http"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/respond"
	"github.com/devrelopers/aipassport/passport"
)

// StopAll answers POST /stop: all apps at once. For the owner.
func (a *API) StopAll(w http.ResponseWriter, r *http.Request) {
	who, err := a.Owner.Who(r)
	if err != nil {
		fail(w, r, err)
		return
	}
	if !who.May(passport.RunServer) {
		fail(w, r, problem.New(problem.Forbidden, "only the owner of this broker stops all apps"))
		return
	}
	n, err := a.Control.Stop(r.Context(), owner(who))
	if err != nil {
		fail(w, r, err)
		return
	}
	respond.JSON(w, http.StatusOK, map[string]any{"stopped": true, "endedCalls": n})
}

// ResumeAll answers POST /resume. For the owner.
func (a *API) ResumeAll(w http.ResponseWriter, r *http.Request) {
	who, err := a.Owner.Who(r)
	if err == nil && !who.May(passport.RunServer) {
		err = problem.New(problem.Forbidden, "only the owner of this broker lets all apps run again")
	}
	if err == nil {
		err = a.Control.ResumeAll(r.Context(), owner(who))
	}
	if err != nil {
		fail(w, r, err)
		return
	}
	respond.JSON(w, http.StatusOK, map[string]any{"stopped": false})
}
