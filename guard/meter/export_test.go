package meter

// ReadTariff is readTariff for the tests.
var ReadTariff = readTariff

// RatesKept says how many details the meter remembers calls of.
func (m *Meter) RatesKept() int {
	r := m.c.Rates.(*memoryRates)
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.details)
}

// BatchesKept is the most batches that the meter remembers of one detail.
func (m *Meter) BatchesKept() int {
	r := m.c.Rates.(*memoryRates)
	r.mu.Lock()
	defer r.mu.Unlock()
	most := 0
	for _, b := range r.details {
		most = max(most, len(b.list))
	}
	return most
}
