package token

// BoundProofs makes the bounds on proofs smaller.
func (s *Service) BoundProofs(shown, ofKey, proved int) {
	s.shown.most, s.shown.ofKey, s.proved.most = shown, ofKey, proved
}
