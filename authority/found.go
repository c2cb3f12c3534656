package authority

// Found is a model that a key can reach.
type Found struct {
	Model   string
	Priced  bool   // its price is known here
	Propose string // the line that would give it the price that its provider tells; empty: it tells none
}
