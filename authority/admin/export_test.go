package admin

// Own says whether a route is one that each person has.
func Own(pattern string) bool { return own[pattern] }
