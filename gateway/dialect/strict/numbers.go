package strict

import (
	"math/big"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// number reads a number as it is written.
func (r *Reader) number() (jsontext.Value, error) {
	if err := r.want(jsontext.KindNumber, "number"); err != nil {
		return nil, err
	}
	raw, err := r.d.ReadValue()
	if err != nil {
		return nil, r.syntax(err)
	}
	return raw, nil
}

// Int reads a whole number from min to max that is written plainly: 1.0 and 1e3 are refused, since readers differ on them.
func (r *Reader) Int(min, max int64) (int64, error) {
	raw, err := r.number()
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil || raw[0] == '-' && n == 0 || n < min || n > max {
		return 0, r.Refuse("must be a whole number from %d to %d, written in digits only", min, max)
	}
	return n, nil
}

// Up reads a number from 0 to max that is written without an exponent, and rounds it up.
func (r *Reader) Up(max int64) (int64, error) {
	raw, err := r.number()
	if err != nil {
		return 0, err
	}
	whole, part, _ := strings.Cut(string(raw), ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if strings.Trim(part, "0") != "" {
		n++
	}
	if err != nil || raw[0] == '-' || strings.ContainsAny(part, "eE") || n > max {
		return 0, r.Refuse("must be a number from 0 to %d, written in digits", max)
	}
	return n, nil
}

// Micro reads a number from 0 to max millionths, in millionths rounded up. An exponent may have two digits.
func (r *Reader) Micro(max int64) (int64, error) {
	raw, err := r.number()
	if err != nil {
		return 0, err
	}
	_, exponent, _ := strings.Cut(strings.ToLower(string(raw)), "e")
	n, ok := new(big.Rat), len(raw) <= 64 && len(strings.TrimLeft(exponent, "+-")) <= 2
	if ok {
		n, ok = n.SetString(string(raw))
	}
	if !ok || n.Sign() < 0 || n.Cmp(big.NewRat(max, 1e6)) > 0 {
		return 0, r.Refuse("must be a number from 0 to %d millionths", max)
	}
	n.Mul(n, big.NewRat(1e6, 1))
	up := new(big.Int).Add(n.Num(), n.Denom())
	return up.Sub(up, big.NewInt(1)).Quo(up, n.Denom()).Int64(), nil
}
