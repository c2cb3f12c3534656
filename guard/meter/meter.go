// Package meter is the sole owner of money and limits: the tariff, the worst case of a call, the hold before it leaves, the
// settling after, the rate. Nothing else writes an amount. It may not touch HTTP or provider formats.
package meter
