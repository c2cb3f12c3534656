package meter

// ReadTariff is readTariff for the tests.
var ReadTariff = readTariff

// RatesKept says how many details the meter remembers calls of.
func (m *Meter) RatesKept() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.rates.details)
}

// BatchesKept is the most batches that the meter remembers of one detail.
func (m *Meter) BatchesKept() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	most := 0
	for _, b := range m.rates.details {
		most = max(most, len(b.list))
	}
	return most
}
