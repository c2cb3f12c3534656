package token

// BoundProofs makes the bounds on proofs smaller.
func (s *Service) BoundProofs(shown, ofKey, proved, ofFrom int) {
	s.shown.most, s.shown.ofOne, s.proved.most, s.proved.ofOne = shown, ofKey, proved, ofFrom
}
