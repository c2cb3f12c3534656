package meter

// ReadTariff is readTariff for the tests.
var ReadTariff = readTariff

// RatesKept says how many details the meter remembers calls of.
func (m *Meter) RatesKept() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.rates.details)
}
